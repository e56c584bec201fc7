import { Argument, type Command } from 'commander';
import type { ImageOf } from '../composition/docker.ts';
import { lazily } from './lazily.ts';
import type { OnPlatform } from './on-platform.ts';

/** Commands about the platform as a whole: to run it, install it, examine its machine and save what it keeps. */
export function platformCommands(program: Command, onPlatform: OnPlatform, version: string, environment: NodeJS.ProcessEnv): void {
  program
    .command('up')
    .description('start the platform: gateway and control plane')
    .action(async () => (await import('./up.ts')).up(version, environment));

  program
    .command('doctor')
    .description('check what this machine can do for the platform')
    .option('--json', 'print a JSON document')
    .action(async (options: { json?: boolean }) => (await import('./doctor.ts')).doctor(options, environment));

  const images = program.command('images').description('images that functions run in with the docker driver');
  images
    .command('build', { isDefault: true })
    .description('have the Docker Engine build the images of functions, and print their names')
    .addArgument(new Argument('[language]', 'one of the images; without this, all that the platform takes').choices(['python', 'node']))
    .option(
      '--base <image>',
      'image to build on; python: with Python 3.9 to 3.14, or apt to install it, by default python:3.13-slim-bookworm; node: with Node.js 22.15 or later, by default node:26-bookworm-slim',
    )
    .option('--json', 'print a JSON document')
    .action(async (language: ImageOf | undefined, options: { base?: string; json?: boolean }) =>
      (await import('./images.ts')).imagesBuild(language, options, environment),
    );

  program
    .command('install')
    .description('make a systemd service of this installation: user, /etc/hearth, /var/lib/hearth, unit; again, it is the upgrade')
    .option('--dry-run', 'print every step, and do none')
    .option('--root <folder>', 'below a folder instead of /, and nothing but files')
    .option('--json', 'print a JSON document')
    .action(async (options: { dryRun?: boolean; root?: string; json?: boolean }) =>
      (await import('./install/install.ts')).install(options, { node: process.execPath, script: process.argv[1] as string }),
    );

  program
    .command('uninstall')
    .description('take the service away; data and settings are kept')
    .option('--purge', 'delete data, settings and user, too')
    .option('--dry-run', 'print every step, and do none')
    .option('--root <folder>', 'below a folder instead of /, and nothing but files')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./install/install.ts')).uninstall));

  onPlatform(program.command('backup <file>'))
    .description('write everything that a running platform keeps to a new file: functions, records, schedules, secrets, the queue')
    .option('--with-key', "include the file of the secrets' key: whoever has the backup can read the secrets then")
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./backup.ts')).backup));

  program
    .command('restore <file>')
    .description('put a backup into the data folder of a platform that does not run, which must be empty (HEARTH_DATA_DIR)')
    .option('--check', 'only look whether the backup is whole and undamaged')
    .option('--json', 'print a JSON document')
    .action(async (file: string, options: { check?: boolean; json?: boolean }) => (await import('./backup.ts')).restore(file, options, environment));
}
