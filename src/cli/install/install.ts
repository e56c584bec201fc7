import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { readServiceFiles } from '../../composition/files.ts';
import { HearthError } from '../../errors.ts';
import { printJson } from '../print.ts';
import { describe, perform } from './perform.ts';
import { planInstall, planUninstall, type Step } from './plan.ts';

export interface InstallOptions {
  dryRun?: boolean;
  /** Folder that stands for /, for packages and images. */
  root?: string;
  json?: boolean;
}

/** `hearth install`: a system service of this machine, of the installation that the command belongs to. Again, it is the upgrade. */
export async function install(options: InstallOptions, program: { node: string; script: string }): Promise<void> {
  const staged = options.root !== undefined;
  const node = await realpath(program.node);
  const script = await realpath(program.script);
  if (!staged) for (const path of [node, script]) await mustBeReadableByAll(path);
  const { unit, settings } = await readServiceFiles();
  const plan = planInstall({ node, script, unit, settings, staged, ...(await machine(staged)) });
  await run(plan, options);
  if (options.dryRun || staged || options.json) return;
  process.stdout.write(
    (await machine(staged)).hasSystemd
      ? '\nSettings: /etc/hearth/hearth.env. Start it: systemctl start hearth. Look: systemctl status hearth, journalctl -u hearth.\n'
      : '\nsystemd does not run this machine: the unit is written, and nothing is started. As the user hearth: HEARTH_DATA_DIR=/var/lib/hearth hearth up\n',
  );
}

/** `hearth uninstall`: what was installed goes; data, settings and the user only with `purge`. */
export async function uninstall(options: InstallOptions & { purge?: boolean }): Promise<void> {
  const staged = options.root !== undefined;
  await run(planUninstall({ staged, purge: options.purge === true, ...(await machine(staged)) }), options);
  if (!options.purge && !options.dryRun && !options.json) process.stdout.write('/etc/hearth and /var/lib/hearth are kept; --purge deletes them.\n');
}

async function run(plan: readonly Step[], { dryRun, root, json }: InstallOptions): Promise<void> {
  const target = resolve(root ?? '/');
  const isRoot = process.getuid?.() === 0;
  if (!dryRun && root === undefined && !isRoot) {
    throw new HearthError(
      'invalid_config',
      'This changes the machine: run it as root (sudo). --dry-run shows what it would do, --root FOLDER does it below a folder.',
    );
  }
  const steps: { step: string; changed: boolean | null }[] = [];
  for (const step of plan) {
    const text = describe(step, target);
    const changed = dryRun ? null : await perform(step, { root: target, setOwners: root === undefined });
    steps.push({ step: text, changed });
    if (!json) process.stdout.write(changed === null ? `${text}\n` : changed ? `done     ${text}\n` : `as it is ${text}\n`);
  }
  if (json) printJson({ dry_run: dryRun === true, steps });
}

async function machine(staged: boolean): Promise<{ hasUser: boolean; hasSystemd: boolean }> {
  if (staged) return { hasUser: false, hasSystemd: false };
  const hasUser = await promisify(execFile)('getent', ['passwd', 'hearth']).then(
    () => true,
    () => false,
  );
  // As sd_booted(3) asks.
  return { hasUser, hasSystemd: existsSync('/run/systemd/system') };
}

/** The service runs as a user of its own, who has to get there. @throws HearthError invalid_config */
async function mustBeReadableByAll(path: string): Promise<void> {
  if (((await stat(path)).mode & 0o004) === 0) throw unreachable(path, path);
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) throw unreachable(path, folder);
    if (folder === dirname(folder)) return;
  }
}

function unreachable(path: string, where: string): HearthError {
  return new HearthError(
    'invalid_config',
    `The service would run as the user hearth, who can't get at ${path}: ${where} is closed to others. Install Hearth and Node.js where all can read them (npm install --global, or below /opt), and run that one's \`hearth install\`.`,
  );
}
