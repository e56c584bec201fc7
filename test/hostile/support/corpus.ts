import { readFileSync } from 'node:fs';

/** Requests as they stand in a file of test/hostile/corpus. */
export interface CorpusCase {
  name: string;
  /** What the gateway answers, in order; `?` where only agreement counts. */
  statuses: number[];
  bytes: string;
}

/**
 * A case is a line `== NAME -> STATUS[,STATUS]`, and lines up to the next one. Line ends of the file mean nothing: bytes are written as in JSON strings, with `\xNN`
 * besides; `\*N{…}` repeats what is in the braces N times. Lines that begin with # are comments.
 */
export function readCorpus(file: string): CorpusCase[] {
  const text = readFileSync(new URL(`../corpus/${file}`, import.meta.url), 'utf8');
  const cases: CorpusCase[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('#') || line === '') continue;
    const head = /^== (.+) -> ([\d,]+)$/.exec(line);
    const last = cases.at(-1);
    if (head) cases.push({ name: head[1] as string, statuses: (head[2] as string).split(',').map(Number), bytes: '' });
    else if (last) last.bytes += unescaped(line);
    else throw new Error(`${file}: bytes before the first case`);
  }
  return cases;
}

function unescaped(line: string): string {
  return line
    .replace(/\\\*(\d+)\{([^}]*)\}/g, (_all, count: string, what: string) => what.repeat(Number(count)))
    .replace(/\\(r|n|t|\\|x[0-9a-f]{2})/g, (_all, code: string) => {
      if (code.startsWith('x')) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
      return { r: '\r', n: '\n', t: '\t' }[code] ?? '\\';
    });
}
