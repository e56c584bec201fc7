/** What `hearth install` and `hearth uninstall` do, as a list that can be shown before it is done. */
export type Step =
  | { kind: 'folder'; path: string; mode: number; owner: Owner }
  /** `keep`: one that is there already is the operator's, and stays. */
  | { kind: 'file'; path: string; mode: number; owner: Owner; text: string; keep: boolean }
  | { kind: 'remove'; path: string }
  /** `mayFail`: what it is for may be done already. */
  | { kind: 'command'; argv: readonly string[]; mayFail?: boolean };

export interface Owner {
  user: 'root' | 'hearth';
  group: 'root' | 'hearth';
}

export interface InstallFacts {
  /** What the unit runs: absolute paths of Node.js and of bin/hearth.js. */
  node: string;
  script: string;
  /** Texts of deploy/hearth.service and deploy/hearth.env. */
  unit: string;
  settings: string;
  /** Nothing but files below another root: no user is made, and no service manager is told. */
  staged: boolean;
  hasUser: boolean;
  /** Whether systemd runs this machine. */
  hasSystemd: boolean;
}

const ROOT: Owner = { user: 'root', group: 'root' };
const OWN: Owner = { user: 'hearth', group: 'hearth' };
const SETTINGS_FOLDER = '/etc/hearth';
const DATA_FOLDER = '/var/lib/hearth';
const UNIT_FILE = '/etc/systemd/system/hearth.service';

/** Once and at every upgrade alike: what is there and right is left as it is. */
export function planInstall({ node, script, unit, settings, staged, hasUser, hasSystemd }: InstallFacts): Step[] {
  return [
    ...(staged || hasUser
      ? []
      : [command('useradd', '--system', '--user-group', '--home-dir', DATA_FOLDER, '--no-create-home', '--shell', '/usr/sbin/nologin', 'hearth')]),
    { kind: 'folder', path: SETTINGS_FOLDER, mode: 0o755, owner: ROOT },
    { kind: 'file', path: `${SETTINGS_FOLDER}/hearth.env`, mode: 0o640, owner: { user: 'root', group: 'hearth' }, text: settings, keep: true },
    { kind: 'folder', path: DATA_FOLDER, mode: 0o711, owner: OWN },
    { kind: 'file', path: UNIT_FILE, mode: 0o644, owner: ROOT, text: unitFor(unit, node, script), keep: false },
    ...(staged || !hasSystemd
      ? []
      : [command('systemctl', 'daemon-reload'), command('systemctl', 'enable', 'hearth'), command('systemctl', 'try-restart', 'hearth')]),
  ];
}

/** @param purge also what can't be had again: data, settings and the user */
export function planUninstall({
  staged,
  hasUser,
  hasSystemd,
  purge,
}: Pick<InstallFacts, 'staged' | 'hasUser' | 'hasSystemd'> & { purge: boolean }): Step[] {
  const live = !staged && hasSystemd;
  return [
    // Not enabled, or not there: as it should be.
    ...(live ? [{ ...command('systemctl', 'disable', '--now', 'hearth'), mayFail: true }] : []),
    { kind: 'remove', path: UNIT_FILE },
    ...(live ? [command('systemctl', 'daemon-reload')] : []),
    ...(purge
      ? [
          { kind: 'remove' as const, path: SETTINGS_FOLDER },
          { kind: 'remove' as const, path: DATA_FOLDER },
          ...(staged || !hasUser ? [] : [command('userdel', 'hearth')]),
        ]
      : []),
  ];
}

/** @throws Error for a unit that has no such line, which would be a fault of ours */
function unitFor(unit: string, node: string, script: string): string {
  const exec = /^ExecStart=.*$/m;
  const home = /^ProtectHome=.*$/m;
  if (!exec.test(unit) || !home.test(unit)) throw new Error('deploy/hearth.service has no ExecStart= or ProtectHome=');
  const inHome = [node, script].some((path) => /^\/(home|root|run\/user)\//.test(path));
  return unit
    .replace(exec, () => `ExecStart=${quoted(node)} ${quoted(script)} up`)
    .replace(home, () => `ProtectHome=${inHome ? 'read-only' : 'yes'}`);
}

/** As systemd reads a command line (systemd.service, systemd.syntax): % begins a specifier, $ a variable. */
function quoted(path: string): string {
  const text = path.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w./%$@+:-]+$/.test(text) ? text : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function command(...argv: string[]): { kind: 'command'; argv: readonly string[]; mayFail?: boolean } {
  return { kind: 'command', argv };
}
