/** Sessions at a terminal as Markdown pages show them. */

/** What is typed, and what is printed then. */
export interface Step {
  command: string;
  output: string;
}

/** The commands of all ```console blocks of a Markdown text: lines that begin with `$ `, with those below that go on with `> `. */
export function consoleSteps(markdown: string): Step[] {
  const steps: Step[] = [];
  for (const [, block = ''] of markdown.matchAll(/^```console\n(.*?)^```$/gms)) {
    for (const line of block.trimEnd().split('\n')) {
      const step = steps.at(-1);
      if (line.startsWith('$ ')) steps.push({ command: line.slice(2), output: '' });
      else if (step === undefined) throw new Error(`a console block begins with its output: ${line}`);
      else if (line.startsWith('> ') && step.output === '') step.command += `\n${line.slice(2)}`;
      else step.output += `${line}\n`;
    }
  }
  return steps;
}

/** A part of a page that is copied and pasted, and what it prints; or, without `typed`, what a command that goes on prints by itself. */
export interface Block {
  section: string;
  typed: string | undefined;
  /** Undefined: the page says nothing of it. */
  printed: string | undefined;
}

/** The ```sh blocks of a Markdown text, each with the ```text or ```json block that stands directly below it; others of these stand alone. Shells under other names are refused. */
export function shellBlocks(markdown: string): Block[] {
  const blocks: Block[] = [];
  let section = '';
  let end = 0;
  for (const found of markdown.matchAll(/^#+ (.+)$|^```(\w*)\n([\s\S]*?)^```$/gm)) {
    const [all, heading, language = '', text = ''] = found;
    const last = blocks.at(-1);
    if (heading !== undefined) section = heading;
    else if (language === 'sh') blocks.push({ section, typed: text, printed: undefined });
    else if (/sh$|^(shell|console)$/.test(language))
      throw new Error(`a block of this page is in ${language}; blocks that are tested are in sh:\n${text}`);
    else if (['text', 'json'].includes(language)) {
      if (last?.typed !== undefined && markdown.slice(end, found.index).trim() === '') last.printed = text;
      else blocks.push({ section, typed: undefined, printed: text });
    }
    end = found.index + all.length;
  }
  const fences = markdown.match(/^\s*(```|~~~)+\s*(\w*sh|shell|console)\b/gm) ?? [];
  const read = blocks.filter(({ typed }) => typed !== undefined).length;
  if (fences.length !== read)
    throw new Error(
      `this page has ${fences.length} shell blocks, of which ${read} are plain \`\`\`sh blocks at the margin, as those that are tested have to be`,
    );
  return blocks;
}

/** Whether that is what a document says is printed. `…` stands for anything in a line, and on a line of its own for any lines, or none. */
export function isAsWritten(printed: string, written: string): boolean {
  return new RegExp(`^${patternOf(written)}$`).test(`${printed.trimEnd()}\n`);
}

/** A regular expression of what a document says is printed, line by line, the end of the last one included. */
export function patternOf(written: string): string {
  return written
    .trimEnd()
    .split('\n')
    .map((line) => (line === '…' ? '(?:.*\n)*?' : `${line.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('…', '.*?')}\n`))
    .join('');
}
