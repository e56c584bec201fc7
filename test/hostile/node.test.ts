import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Arena } from './support/arena.ts';

/** The worst of the other files, in the language of functions whose agent shares their process. */
describe('attacks in JavaScript', () => {
  const arena = new Arena('bubblewrap', {});
  const nodejs = { runtime: 'nodejs' as const };
  const bounded = { ...nodejs, timeout_ms: 5000, memory_mb: 128 };
  beforeAll(() => arena.open());
  afterEach(() => arena.leavesNothing());
  afterAll(() => arena.close());

  it('an endless loop is ended by its deadline, in the agent’s thread and in workers', async () => {
    const settings = { ...nodejs, timeout_ms: 1000 };
    expect((await arena.attack('export default () => { for (;;); }', { settings })).status).toBe(504);
    const workers = `import { Worker } from 'node:worker_threads';
      export default () => { for (let n = 0; n < 4; n++) new Worker('for (;;);', { eval: true }); return new Promise(() => {}); }`;
    expect((await arena.attack(workers, { settings })).status).toBe(504);
  });

  it.each([
    ['objects', 'const kept = []; for (;;) kept.push(new Array(1e5).fill({}));'],
    ['buffers outside the heap', 'const kept = []; for (;;) kept.push(Buffer.alloc(1 << 24, 1));'],
    ['one long text', 'let text = "x"; for (;;) { text += text; Buffer.from(text); }'],
  ])('memory is taken without end by %s, and nobody else ends', async (_, code) => {
    const { status } = await arena.attack(`export default () => { ${code} }`, { settings: bounded });
    expect(status).toBe(502);
  });

  it('a flood of output ends with its function', async () => {
    const { status } = await arena.attack('export default () => { const line = "x".repeat(1 << 16); for (;;) console.log(line); }', {
      settings: { ...bounded, timeout_ms: 1500 },
    });
    expect([502, 504]).toContain(status);
  });

  it.each([
    ['kills everything', 'for (const pid of [1, -1, process.pid, 0]) try { process.kill(pid, "SIGKILL"); } catch {}\n return new Promise(() => {});'],
    ['aborts', 'process.abort()'],
    ['closes the channel', 'require("node:fs").closeSync(3); return new Promise(() => {});'],
  ])('one that %s ends itself alone', async (_, code) => {
    const { status } = await arena.attack(`exports.handler = () => { ${code} }`, { settings: { ...nodejs, timeout_ms: 3000 } });
    expect([502, 504]).toContain(status);
  });

  it.each([
    ['an answer to a call that is not its own', 'frame(0x86, 4242, JSON.stringify({ status: 200, headers: [], streaming: false }))'],
    ['a second Ready', 'frame(0x82, 0, JSON.stringify({ concurrency: 1, preloaded: [], excluded: [] }))'],
    ['a type that there is none of', 'frame(0xff, 0, "")'],
  ])('frames that are forged over descriptor 3 (%s) are told from its agent’s', async (_, forge) => {
    const code = `const fs = require('node:fs');
      function frame(type, id, text) {
        const head = Buffer.alloc(9);
        head.writeUInt32BE(Buffer.byteLength(text), 0); head[4] = type; head.writeUInt32BE(id, 5);
        fs.writeSync(3, Buffer.concat([head, Buffer.from(text)]));
      }
      exports.handler = async () => { ${forge}; await new Promise((go) => setTimeout(go, 200)); return 'mine'; };`;
    const { status, json } = await arena.attack(code, { settings: { ...nodejs, timeout_ms: 3000 } });
    expect([status, (json() as { code: string }).code]).toEqual([502, 'runtime_protocol_error']);
  });

  it('names of headers and queries that reach for prototypes are names like any other', async () => {
    const code =
      'export default (m) => ({ headers: Object.hasOwn(m.headers, "__proto__"), query: Object.entries(m.query), clean: {}.polluted === undefined && m.polluted === undefined })';
    const answer = await arena.attack(code, {
      settings: nodejs,
      query: '?__proto__=polluted&constructor=1&__proto__[polluted]=1',
      init: { method: 'POST', headers: { __proto__x: '1', 'Content-Type': 'application/json' }, body: '{"__proto__":{"polluted":1}}' },
    });
    expect(answer.json()).toEqual({
      headers: false,
      query: [
        ['__proto__', 'polluted'],
        ['constructor', '1'],
        ['__proto__[polluted]', '1'],
      ],
      clean: true,
    });
  });
});
