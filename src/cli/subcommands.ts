import type { Command } from 'commander';
import { similar } from './similar.ts';

/**
 * A group whose commands have one that runs without being named takes a mistyped word for that one's argument, and would complain of too many. Says instead that
 * it knows no such command, and which may have been meant.
 */
export function tellUnknownSubcommands(program: Command): void {
  for (const group of program.commands) {
    const fallback = group.commands.find((one) => one.name() === (group as Command & { _defaultCommandName?: string })._defaultCommandName);
    fallback?.configureOutput({ outputError: (text, write) => write(reworded(text, fallback, group)) });
  }
}

function reworded(text: string, fallback: Command, group: Command): string {
  const word = fallback.args[fallback.registeredArguments.length];
  const isNamed = group.args[0] === fallback.name();
  if (isNamed || !text.startsWith('error: too many arguments') || word === undefined) return text;
  const names = group.commands.map((one) => one.name());
  const meant = similar(word, names);
  return `error: unknown command '${group.name()} ${word}'\n(${meant === undefined ? `There are: ${names.join(', ')}.` : `Did you mean ${meant}?`})\n`;
}
