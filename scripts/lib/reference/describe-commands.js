import { readFileSync } from 'node:fs';
import { createProgram } from '../../../src/cli/program.ts';
import { code, page, table } from './markdown.js';

const ABOUT =
  'What `hearth COMMAND --help` tells, of all commands. [The command](../cli.md) says how they are used, and what programs can rely on: `--json` and exit codes.';

export function describeCommands() {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  const program = createProgram(version, {});
  return page('Commands', ABOUT, ...leavesOf(program).map(describe));
}

/** Commands that do something themselves, with how they are called. */
function leavesOf(command, before = '') {
  const help = command.createHelp();
  // Its own help is no command of ours.
  return help
    .visibleCommands(command)
    .filter((one) => one.name() !== 'help')
    .flatMap((one) => {
      const name = `${before}${one.name()}`;
      return one.commands.length > 0
        ? leavesOf(one, `${name} `)
        : [{ name, command: one, isDefault: command._defaultCommandName === one.name(), group: before.trim() }];
    });
}

function describe({ name, command, isDefault, group }) {
  const help = command.createHelp();
  const alias = command.aliases().map((one) => ` It is \`hearth ${one}\`, too.`);
  const short = isDefault ? ` Without a further word, \`hearth ${group}\` does this.` : '';
  const options = help.visibleOptions(command).filter(({ long }) => long !== '--help');
  const argument = help.visibleArguments(command).filter(({ description, argChoices }) => description || argChoices);
  return [
    `## hearth ${name}\n`,
    code(`hearth ${`${name} ${usageOf(command)}`.trim()}`),
    `${sentence(command.description())}${alias.join('')}${short}\n`,
    table(
      ['argument', ''],
      argument.map((one) => [`\`${one.name()}\``, withChoices(one.description, one.argChoices)]),
    ),
    table(
      ['option', '', 'default'],
      options.map((one) => [`\`${one.flags}\``, withChoices(one.description, one.argChoices), defaultOf(one)]),
    ),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function usageOf(command) {
  return command.registeredArguments.map((one) => (one.required ? `<${one.name()}${one.variadic ? '...' : ''}>` : `[${one.name()}]`)).join(' ');
}

function withChoices(description, choices) {
  const one = choices ? `one of ${choices.map((choice) => `\`${choice}\``).join(', ')}` : '';
  return [description, one].filter(Boolean).join('; ');
}

function defaultOf({ defaultValue, mandatory }) {
  if (mandatory && defaultValue === undefined) return 'must be given';
  return defaultValue === undefined || Array.isArray(defaultValue) ? '' : `\`${defaultValue}\``;
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
