/** Lines that end pip's output without saying what went wrong. */
const NOISE = /^(?:\[notice\]|WARNING:|note:|hint:|╰─>\s*See above|\[end of output\]|$)/i;

/**
 * What went wrong, in one line, from pip's output: its last error, and the package it was busy with when the error itself names none.
 * An empty string when pip said nothing.
 */
export function explainPip(output: string): string {
  // pip's progress and colours are not for messages.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
  const lines = output.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '').split(/\r\n|\r|\n/);
  const meaningful = lines.map((line) => line.trim()).filter((line) => !NOISE.test(line));
  if (/No space left on device|\[Errno 28\]|Disk quota exceeded|\[Errno 122\]/.test(output)) {
    return 'the disk of the platform is full; free some space and try again';
  }
  const last = (pattern: RegExp) => meaningful.findLast((line) => pattern.test(line));
  const line = last(/^ERROR:/) ?? last(/^(?:error:|×)/i) ?? meaningful.at(-1) ?? '';
  const message = line.replace(/^(?:ERROR:|error:|×)\s*/, '').slice(0, 500);
  const busyWith = /^Collecting (\S+)/.exec(last(/^Collecting /) ?? '')?.[1];
  const unnamed = busyWith !== undefined && !message.toLowerCase().includes(bareName(busyWith));
  const where = unnamed ? ` (while installing ${busyWith.slice(0, 100)})` : '';
  // pip says "no matching distribution" of any package when the index doesn't answer.
  const offline = /NewConnectionError|NameResolutionError|ConnectTimeoutError|ProxyError|SSLError/.test(output);
  return `${message}${where}${offline ? '; the package index could not be reached' : ''}`;
}

function bareName(requirement: string): string {
  return (/^[A-Za-z0-9._-]+/.exec(requirement)?.[0] ?? requirement).toLowerCase();
}
