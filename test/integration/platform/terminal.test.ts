import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { hearthCommand } from '../../support/hearth-command.ts';

/** Clears the screen, sets the title of the window, turns text around; CSI as one character is heeded by some terminals. */
const ORDERS = '\u001b[2J\u001b]0;title\u0007\u009b2J\u202e';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const ANY = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/;

const LOG = new URL('../../../src/telemetry/log.ts', import.meta.url).href;

it('the log for people gives no orders to their terminal', async () => {
  const lines = `import { createLog } from '${LOG}';
const { log, flush } = createLog({ level: 'info', format: 'pretty' }, false);
const text = ${JSON.stringify(ORDERS)};
log.warn({ reason: text, err: new Error(text) }, 'told: ' + text);
setTimeout(flush, 100);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', lines]);
  expect(stdout).toContain('told: \\u001b[2J\\u001b]0;title\\u0007\\u009b2J\\u202e');
  expect(stdout.match(/title/g)?.length).toBeGreaterThan(3);
  expect(stdout).not.toMatch(ANY);
});

it.each([
  [
    'what a build printed',
    ['layers', 'build', 'evil', '-r', '/dev/null'],
    422,
    { code: 'layer_build_failed', detail: `It failed.${ORDERS}`, output: `pip says\n${ORDERS}` },
  ],
  [
    'what the platform lists',
    ['layers', 'list'],
    200,
    { layers: [{ id: '1', name: `evil\n${ORDERS}`, runtime: 'python', state: 'ready', size_bytes: 1 }] },
  ],
])('the command gives no orders to the terminal: %s', async (_what, args, status, answer) => {
  const server = createServer((_request, response) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { stdout, stderr } = await hearthCommand([...args, '--api', `http://127.0.0.1:${(server.address() as AddressInfo).port}`]);
    expect(stdout + stderr).toContain('\\u001b[2J\\u001b]0;title\\u0007\\u009b2J\\u202e');
    expect(stdout + stderr).not.toMatch(ANY);
  } finally {
    server.close();
  }
});
