import { Command } from 'commander';
import { completionCommands } from './completion-commands.ts';
import { functionCommands } from './function-commands.ts';
import { invocationCommands } from './invocation-commands.ts';
import { onPlatformWith } from './on-platform.ts';
import { platformCommands } from './platform-commands.ts';
import { resourceCommands } from './resource-commands.ts';
import { tellUnknownSubcommands } from './subcommands.ts';

/** All commands, with their options and help; what one needs to do its work is read when it is run. @param version of Hearth */
export function createProgram(version: string, environment: NodeJS.ProcessEnv): Command {
  const program = new Command('hearth')
    .description('A self-hosted serverless platform. Settings come from the environment (HEARTH_…) and from the file that HEARTH_CONFIG names.')
    .version(version)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    // Commands take these over when they are made.
    .showHelpAfterError('(--help tells what it takes.)');
  const onPlatform = onPlatformWith(environment.HEARTH_TOKEN);
  platformCommands(program, onPlatform, version, environment);
  functionCommands(program, onPlatform);
  invocationCommands(program, onPlatform);
  resourceCommands(program, onPlatform);
  completionCommands(program, environment.HEARTH_TOKEN);
  tellUnknownSubcommands(program);
  return program;
}
