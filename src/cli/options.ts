import { type Command, InvalidArgumentError } from 'commander';

/** For commands that can say what they did to a program. */
export function withJson(command: Command, what = 'print a JSON document'): Command {
  return command.option('--json', what);
}

export function withGateway(command: Command): Command {
  return command.option('--gateway <url>', 'address of the gateway', 'http://127.0.0.1:5000');
}

/** @param flags of the option that has the body */
export function withPayload(command: Command, flags = '-d, --data <text>'): Command {
  return command
    .option(flags, 'what it is given: the text itself, @FILE, or - for standard input')
    .option('-H, --header <line>', '"Name: value"; may be there several times', (line: string, before: string[]) => [...before, line], []);
}

export function atLeastOne(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It is to be a whole number from 1 on.');
  return value;
}

export function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || value > 86_400) throw new InvalidArgumentError('It is to be a number of seconds.');
  return value;
}

export function percent(text: string): number {
  const value = Number(text.replace(/%$/, ''));
  if (!(value >= 0 && value <= 100)) throw new InvalidArgumentError('It is to be a percentage.');
  return value;
}
