import type { Command } from 'commander';
import { ApiClient } from '../client/client.ts';

/** Names of functions are asked for so long at most: nobody waits for a completion. Milliseconds. */
const PATIENCE_MS = 400;

const STUBS: Readonly<Record<string, string>> = {
  bash: `_hearth() {
  local IFS=$'\\n'
  COMPREPLY=($(hearth complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _hearth hearth
`,
  zsh: `#compdef hearth
_hearth() {
  local -a found
  found=("\${(@f)$(hearth complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if (( \${#found} )) && [[ -n "\${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _hearth hearth
`,
  fish: `complete -c hearth -a '(hearth complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
};

/** `hearth completion`: what a shell has to read so that the Tab key completes commands, options and names of functions. */
export function completion(shell: string): void {
  process.stdout.write(STUBS[shell] as string);
}

/** @param words of the command line behind \`hearth\`, the last one being typed @returns what it may become */
export async function complete(program: Command, words: readonly string[], token: string | undefined): Promise<string[]> {
  const typed = words.at(-1) ?? '';
  let command = program;
  let taken = 0;
  let skip = false;
  for (const word of words.slice(0, -1)) {
    if (skip) skip = false;
    else if (word.startsWith('-'))
      skip = command.options.some((option) => (option.long === word || option.short === word) && (option.required || option.optional));
    else {
      const below = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
      if (below) command = below;
      else taken++;
    }
  }
  if (skip) return [];
  return (await candidatesOf(command, typed, taken, token)).filter((word) => word.startsWith(typed));
}

async function candidatesOf(command: Command, typed: string, taken: number, token: string | undefined): Promise<string[]> {
  if (typed.startsWith('-')) return command.options.filter((option) => !option.hidden).map((option) => option.long ?? option.short ?? '');
  const below = command.commands.filter((one) => !(one as Command & { _hidden?: boolean })._hidden).map((one) => one.name());
  if (below.length > 0) return below;
  const argument = command.registeredArguments[taken];
  if (argument?.argChoices) return argument.argChoices;
  return argument?.name() === 'function' ? functionNames(String(command.opts().api ?? 'http://127.0.0.1:8000'), token) : [];
}

async function functionNames(api: string, token: string | undefined): Promise<string[]> {
  try {
    const byKey = await new ApiClient(api, token).call('GET /functions', { signal: AbortSignal.timeout(PATIENCE_MS) });
    return [
      ...new Set(
        Object.values(byKey)
          .flat()
          .map(({ function_name: name }) => name),
      ),
    ].sort();
  } catch {
    return [];
  }
}
