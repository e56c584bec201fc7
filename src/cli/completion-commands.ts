import { Argument, type Command } from 'commander';

/** What shells ask for when the Tab key is pressed. @param token of the environment, for names of functions */
export function completionCommands(program: Command, token: string | undefined): void {
  program
    .command('completion')
    .description('print what a shell has to read to complete commands, such as: source <(hearth completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: string) => (await import('./complete.ts')).completion(shell));
  program
    .command('complete [words...]', { hidden: true })
    .description('what the last word may become')
    .action(async (words: string[]) => {
      const found = await (await import('./complete.ts')).complete(program, words, token);
      process.stdout.write(found.map((word) => `${word}\n`).join(''));
    });
}
