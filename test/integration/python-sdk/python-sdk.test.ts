import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth } from '../../support/hearth.ts';
import { makeVenv } from '../../support/python-clients.ts';

const run = promisify(execFile);
const HANDLER = new URL('typed_handler.py', import.meta.url).pathname;

describe('the Python SDK on a developer’s machine', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-python-sdk-'));
    // pip builds beside the sources.
    await cp(new URL('../../../runtimes/python', import.meta.url).pathname, join(folder, 'sources'), { recursive: true });
    await makeVenv(join(folder, 'venv'), [join(folder, 'sources'), 'mypy==1.18.2']);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('installs by pip, and calls a handler without the platform', async () => {
    const { stdout, stderr } = await run(join(folder, 'venv/bin/python'), [HANDLER], { cwd: folder });
    expect(stdout).toBe("200 Hello Ada [Invoked(name='greeting', payload={'name': 'Ada'}, mode='sync')]\nclosed 1000 \n101 ['a', '62'] (1000, '')\n");
    expect(stderr).toMatch(/^INFO asked for \/hello with 5\d{4} ms left\n$/);
  });

  it('has types that a strict checker accepts, and holds handlers to', async () => {
    const mypy = (file: string) => run(join(folder, 'venv/bin/mypy'), ['--strict', file], { cwd: folder });
    expect((await mypy(HANDLER)).stdout).toContain('Success');
    const wrong = join(folder, 'wrong.py');
    await writeFile(wrong, 'import hearth\ndef handler(message: hearth.Message) -> int:\n    return message["bodi"] + hearth.invoke(7)\n');
    await expect(mypy(wrong)).rejects.toMatchObject({
      stdout: expect.stringMatching(/wrong\.py:3: error: .*"bodi"[\s\S]*wrong\.py:3: error: .*"int"/),
    });
  });
});

describe('the Python SDK in a sandbox', () => {
  it('is there by itself: logger, trace and types', async () => {
    await using hearth = await Hearth.start();
    const code = `
import hearth

def handler(message: hearth.Message, context: hearth.Context) -> hearth.Response:
    context.logger.warning("of the context")
    hearth.logger.info("of the module")
    return {"statusCode": 200, "body": context.trace_headers()}
`;
    await hearth.define('typed', code);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const response = await hearth.call('/typed', { headers: { traceparent } });
    expect([response.status, await response.json()]).toEqual([200, { traceparent }]);
    expect((await hearth.record(response)).logs).toBe('WARNING of the context\nINFO of the module\n');
  });
});
