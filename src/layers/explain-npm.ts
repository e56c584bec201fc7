/** Lines of npm's errors that don't say what went wrong. */
const NOISE =
  /^(?:A complete log of this run|Log files were not written|node -v|npm -v|cwd|fund|code \S+$|errno |syscall |For a full report|Note that you can also|This is probably not a problem with npm)/i;
const OFFLINE =
  /\b(ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|UNABLE_TO_GET_ISSUER_CERT\w*|SELF_SIGNED_CERT\w*)\b/;

/** What went wrong, in one line, from npm's output; an empty string when npm said nothing. */
export function explainNpm(output: string): string {
  if (/\b(ENOSPC|EDQUOT)\b/.test(output)) return 'the disk of the platform is full; free some space and try again';
  const errors = output
    .split(/\r\n|\r|\n/)
    .map((line) => /^npm (?:error|ERR!) ?(.*)$/.exec(line)?.[1]?.trim() ?? '')
    .filter((line) => line !== '');
  const code = /^code (\S+)$/.exec(errors.find((line) => line.startsWith('code ')) ?? '')?.[1];
  if (code === 'EUSAGE' && /package-lock|in sync/.test(output)) {
    const missing = errors.filter((line) => /^(Missing|Invalid):/.test(line)).slice(0, 3);
    return `package_lock does not fit package_json${missing.length > 0 ? ` (${missing.join('; ')})` : ''}; make it anew with npm install`;
  }
  if (/spawn (\/bin\/)?sh ENOENT/.test(output)) {
    return 'an install script was to run, and there is no shell where layers are built; the operator can show one by sandbox.extra_binds';
  }
  const said = errors.filter((line) => !NOISE.test(line)).map((line) => line.replace(/^(notarget|\d{3}|E[A-Z]+) /, ''));
  const [message = output.trim().split('\n').at(-1) ?? ''] = said;
  const offline = OFFLINE.test(output) ? '; the package registry could not be reached' : '';
  return `${code === undefined ? '' : `${code}: `}${message}`.slice(0, 500) + offline;
}
