import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, json } from '../../support/hearth.ts';

/** Of what the kernel holds it to, and of what it gets when it goes further. */
const HANDLER = `
import { spawn } from 'node:child_process';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
const tries = {
  limits: () => Object.fromEntries([...readFileSync('/proc/self/limits', 'utf8').matchAll(/^Max (open files|file size|processes|core file size) +(\\d+) +(\\d+)/gm)].map(([, name, soft, hard]) => [name, [+soft, +hard]])),
  files: () => { for (let n = 0; n < 200; n++) openSync('/dev/null'); },
  bytes: () => writeFileSync(process.env.TMPDIR + '/large', Buffer.alloc(2 << 20)),
  processes: async () => {
    const started = [];
    try {
      for (let n = 0; n < 64; n++) {
        const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
        const failed = new Promise((resolve, reject) => child.on('error', reject));
        if (child.pid === undefined) await failed;
        started.push(child);
      }
    } finally {
      for (const child of started) child.kill('SIGKILL');
    }
  },
};
export const handler = async ({ body }) => {
  try { return { done: await tries[body]() }; } catch (error) { return { code: error.code }; }
};
`;

const SETTINGS = {
  HEARTH_SANDBOX_NETWORK: 'none',
  // What a cgroup bounds would not be seen to be bounded by anything else.
  HEARTH_SANDBOX_LIMITS: 'off',
  HEARTH_LIMITS_OPEN_FILES: '100',
  HEARTH_LIMITS_FILE_BYTES: String(1 << 20),
  HEARTH_LIMITS_PROCESSES: '48',
};
const EXPECTED = { 'open files': [100, 100], 'file size': [1 << 20, 1 << 20], processes: [48, 48], 'core file size': [0, 0] };

describe.each(['bubblewrap', 'process'])('limits of Node.js with the driver %s', (driver) => {
  let hearth: Hearth;

  beforeAll(async () => {
    hearth = await Hearth.start({ settings: { ...SETTINGS, HEARTH_SANDBOX_DRIVER: driver } });
    await hearth.define('limited', HANDLER, { runtime: 'nodejs' });
  });
  afterAll(() => hearth?.[Symbol.asyncDispose]());

  const attempt = async (what: string) => json(await hearth.call('/limited', { method: 'POST', body: JSON.stringify(what) }));

  it('are those of the platform’s settings', async () => {
    expect(await attempt('limits')).toEqual({ done: EXPECTED });
  });

  it('end what goes further with an error, and not the function', async () => {
    expect(await attempt('files')).toEqual({ code: 'EMFILE' });
    await hearth.define('limited', `${HANDLER}// A fresh instance.\n`, { runtime: 'nodejs' });
    expect(await attempt('bytes')).toEqual({ code: 'EFBIG' });
    // The kernel counts no processes of root, as whom the driver `process` may run them.
    if (driver === 'bubblewrap') expect(await attempt('processes')).toEqual({ code: 'EAGAIN' });
  });

  it('are those of the processes of scripts', async () => {
    await hearth.define('script', 'console.log(require("node:fs").readFileSync("/proc/self/limits", "utf8").match(/Max open files +(\\d+)/)[1]);', {
      runtime: 'nodejs',
    });
    expect((await hearth.record(await hearth.call('/script'))).logs).toBe('100\n');
  });
  it('hold for the files of a bundle, which then is not loaded', async () => {
    const files = { 'index.mjs': 'export default () => 1;', large: { base64: Buffer.alloc(2 << 20).toString('base64') } };
    await hearth.register({ event_type: 'http|*|/bundle', function_name: 'bundle', runtime: 'nodejs', files });
    const response = await hearth.call('/bundle');
    expect([response.status, await json(response)]).toMatchObject([
      502,
      { code: 'function_load_failed', detail: expect.stringContaining('BundleError: the bundle could not be unpacked: EFBIG') },
    ]);
  });
});
