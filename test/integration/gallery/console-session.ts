import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';

/** More than any session takes; a command that hangs is not to hang its test. */
const TIMEOUT_MS = 230_000;

/** A command of a ```console block, and what it prints. */
interface Step {
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

/** Runs commands one after another in one bash, as somebody at a terminal does. @returns what each has printed, errors included */
export async function runSteps(commands: readonly string[], { cwd, env }: { cwd: string; env: NodeJS.ProcessEnv }): Promise<string[]> {
  const mark = randomUUID();
  const script = commands.map((command) => `${command}\nprintf '\\n%s\\n' ${mark}\n`).join('');
  // A process group of its own, so that what it leaves running ends with it.
  const bash = spawn('bash', ['-c', `exec 2>&1\n${script}`], { cwd, env, stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  let printed = '';
  bash.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const end = () => process.kill(-(bash.pid as number), 'SIGKILL');
  const timer = setTimeout(end, TIMEOUT_MS);
  const closed = once(bash, 'close');
  await once(bash, 'exit');
  clearTimeout(timer);
  try {
    end();
  } catch (error) {
    // Nothing is left of it.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  await closed;
  return printed.split(`\n${mark}\n`).slice(0, commands.length);
}

/** Whether that is what a document says is printed. `…` stands for anything in a line, and on a line of its own for any lines. */
export function isAsWritten(printed: string, written: string): boolean {
  const pattern = written
    .trimEnd()
    .split('\n')
    .map((line) => (line === '…' ? '[^]*?' : line.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('…', '.*?')))
    .join('\n');
  return new RegExp(`^${pattern}$`).test(printed.trimEnd());
}
