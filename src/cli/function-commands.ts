import type { Command } from 'commander';
import { lazily } from './lazily.ts';
import type { OnPlatform } from './on-platform.ts';

/** Commands about functions and what they did. */
export function functionCommands(program: Command, onPlatform: OnPlatform): void {
  onPlatform(program.command('deploy [folder]'))
    .description('deploy the functions of a project (hearth.json or hearth.yaml) to a running platform')
    .option('--gateway <url>', 'address of the gateway, for the URLs that are printed', 'http://127.0.0.1:5000')
    .option('--dry-run', 'only say what would be deployed')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./deploy/deploy.ts')).deploy));
}
