import { type Command, Option } from 'commander';

/** Makes a command one that talks to a running platform. @param token of the environment */
export function onPlatformWith(token: string | undefined): (command: Command) => Command {
  return (command) =>
    command
      .option('--api <url>', 'address of the control plane', 'http://127.0.0.1:8000')
      .option('--token-file <file>', 'file that has a token for it; without this, HEARTH_TOKEN of the environment is used')
      // As the course's own command has it.
      .addOption(new Option('--platform-uri <url>').hideHelp())
      .hook('preAction', (_, action) => {
        action.setOptionValue('token', token);
        const { platformUri } = action.opts();
        if (platformUri !== undefined) action.setOptionValue('api', platformUri);
      });
}

export type OnPlatform = ReturnType<typeof onPlatformWith>;
