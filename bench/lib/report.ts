import { readFile, writeFile } from 'node:fs/promises';
import type { Section } from './case.ts';
import { README } from './folders.ts';
import { markdown } from './table.ts';

export interface Report {
  command: string;
  machine: readonly string[];
  sections: readonly Section[];
}

/** Puts a case's tables between its markers in bench/README.md. @throws Error when the markers aren't there */
export async function writeReport(name: string, { command, machine, sections }: Report): Promise<void> {
  const text = await readFile(README, 'utf8');
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`bench/README.md has no place for ${name}: ${begin} … ${end}`);
  const tables = sections.map(markdown).join('\n');
  const body = `${begin}\n\n\`${command}\` · ${machine.join(' · ')}\n\n${tables}\n`;
  await writeFile(README, text.slice(0, from) + body + text.slice(to));
}
