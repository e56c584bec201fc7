import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, until } from '../../support/hearth.ts';
import { backgroundCommand, hearthCommand } from '../../support/hearth-command.ts';

let hearth: Hearth;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-cli-'));
  hearth = await Hearth.start({ settings: { HEARTH_SANDBOX_NETWORK: 'none' } });
});
afterAll(async () => {
  await hearth?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Without the options that name the platform, which every command takes. */
const run = (args: string[], input?: string) => {
  const ofGateway = ['deploy', 'dev', 'invoke', 'bench'].includes(args[0] as string) ? ['--gateway', hearth.gateway] : [];
  return hearthCommand([...args, '--api', hearth.api, ...ofGateway], {}, input === undefined ? {} : { input });
};
const printed = async (args: string[], input?: string) => {
  const { code, stdout, stderr } = await run(args, input);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
};
const parsed = async <T>(args: string[]) => JSON.parse(await printed([...args, '--json'])) as T;

const JSON_TYPE = { 'Content-Type': 'application/json' };

/** What `hearth` prints on a terminal, which Python's pty is. */
const onTerminal = async (args: string[], environment: Record<string, string>) => {
  const spawn = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))';
  const argv = ['-c', spawn, process.execPath, fileURLToPath(new URL('../../../bin/hearth.js', import.meta.url)), ...args];
  const env = { PATH: process.env.PATH, TERM: 'xterm-256color', ...environment };
  return (await promisify(execFile)('python3', argv, { env, timeout: 30_000 })).stdout;
};

describe('hearth init, deploy and invoke', () => {
  it.each(['python', 'javascript', 'typescript'])('make a function of the template %s, which answers', async (template) => {
    const project = join(folder, `my-${template}`);
    expect((await hearthCommand(['init', project, '--template', template])).code).toBe(0);
    expect(await printed(['deploy', project])).toContain(`my-${template}`);
    expect(JSON.parse(await printed(['invoke', `my-${template}`, '--data', '{"name": "Ada"}']))).toEqual({ hello: 'Ada' });
    const refused = await run(['invoke', `my-${template}`, '--data', '{}', '--include', '--timing']);
    expect([refused.code, JSON.parse(refused.stdout)]).toEqual([1, { error: 'name is missing' }]);
    expect(refused.stderr).toMatch(/HTTP 400[\s\S]*content-type: application\/json[\s\S]*run +\d[\s\S]*invocations show/);
  });

  it('tell what a template that is none could be, and overwrite nothing', async () => {
    const unknown = await hearthCommand(['init', join(folder, 'x'), '--template', 'cobol']);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('typescript (a function in TypeScript')]);
    const made = await hearthCommand(['init', join(folder, 'x'), '--json']);
    expect(JSON.parse(made.stdout)).toMatchObject({ function: 'x', template: 'python', files: ['hearth.yaml', 'main.py'] });
    const again = await hearthCommand(['init', join(folder, 'my-python')]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('is there already')]);
  });

  it('take the body from a file or from standard input, and have it run later', async () => {
    await hearth.define(
      'size',
      'def handler(message, context):\n    return {"bytes": len(message["raw_body"]), "type": message["headers"].get("Content-Type")}',
    );
    await writeFile(join(folder, 'body.bin'), Buffer.from([0, 255, 1]));
    expect(JSON.parse(await printed(['invoke', 'size', '--data', `@${join(folder, 'body.bin')}`]))).toEqual({
      bytes: 3,
      type: 'application/octet-stream',
    });
    expect(JSON.parse(await printed(['invoke', 'size', '--data', '-'], 'hello'))).toEqual({ bytes: 5, type: 'text/plain; charset=utf-8' });
    const { id } = JSON.parse(await printed(['invoke', 'size', '--data', '{}', '--async'])) as { id: string };
    const shown = await printed(['invocations', 'show', id, '--wait', '30s']);
    expect(shown).toMatch(/state +succeeded, status 200[\s\S]*"bytes": ?2/);
    expect((await run(['invoke', 'size', '--data', '@/nowhere'])).stderr).toContain('/nowhere of --data can');
    expect(await parsed(['invoke', 'size', '--data', 'hello'])).toMatchObject({
      status: 200,
      start: 'warm',
      body: expect.stringContaining('"bytes":'),
      timing_ms: { run: expect.any(Number), total: expect.any(Number) },
    });
    const again = await printed(['invocations', 'replay', id]);
    expect(await parsed(['invocations', 'show', again.trim(), '--wait', '30s'])).toMatchObject({ replay_of: id, state: 'succeeded' });
    expect((await run(['invocations', 'cancel', id])).stderr).toContain('is over already');
  });
});

describe('what is there', () => {
  it('is created, listed, shown and deleted', async () => {
    await writeFile(join(folder, 'echo.py'), 'def handler(message, context):\n    print("seen", message["body"])\n    return message["body"]\n');
    const create = ['create', '--name', 'echo', '--http-verb', 'post', '--http-path', '/echo', '--code-file', join(folder, 'echo.py')];
    expect(await printed(create)).toBe('echo is version 1, on http|POST|/echo.\n');
    expect(await printed(create)).toBe('echo is version 1, as before, on http|POST|/echo.\n');
    expect(await printed(['list', '--filter', 'echo'])).toMatch(/^NAME +EVENT KEY[\s\S]*echo +http\|POST\|\/echo +1 +python handler/);
    expect(await parsed(['list', '--filter', '/echo'])).toMatchObject([{ function_name: 'echo', version: 1 }]);
    expect(await printed(['show', 'echo', '--code'])).toBe(await readFile(join(folder, 'echo.py'), 'utf8'));
    expect(await printed(['show', 'echo'])).toMatch(/event key +http\|POST\|\/echo/);
    await writeFile(join(folder, 'echo.py'), 'def handler(message, context):\n    return "two"\n');
    await printed(create);
    expect(await printed(['versions', 'echo'])).toMatch(/2 \(current\)[\s\S]*\n1 /);
    expect(await printed(['show', 'echo', '--of', '1', '--code'])).toContain('print("seen"');
    const split = ['traffic', 'set', 'echo', '1=90', '2=10', '--sticky', 'X-User', '--rollback-above', '20%'];
    expect(await parsed(split)).toMatchObject({ weights: { 1: 90, 2: 10 }, rollback_on: { error_rate: 0.2, minimum_calls: 20, window_ms: 60_000 } });
    expect(await printed(['traffic', 'show', 'echo'])).toMatch(/2 \(current\) +10[\s\S]*sticky by +x-user/i);
    expect(await printed(['traffic', 'end', 'echo'])).toBe('All calls of echo go to version 2.\n');
    expect(await printed(['rollback', 'echo'])).toBe('echo is version 1 again; it was 2.\n');
    expect(await printed(['delete', 'echo'])).toContain('echo is deleted');
    const gone = await run(['show', 'echo']);
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('`hearth list` has those that there are')]);
    expect(await parsed<{ subject: string }[]>(['audit', '--limit', '1'])).toMatchObject([{ method: 'DELETE', subject: 'echo', status: 200 }]);
    expect(await printed(['audit', '--since', '1h'])).toMatch(/^AT +WHO[\s\S]*POST \/functions +echo, version 2 +200/);
    expect((await run(['list', '--filter', 'nothing-has-this'])).stderr).toContain('No function has');
  });

  it('is what the course made with its own command', async () => {
    await writeFile(join(folder, 'cats.py'), 'def handler(message, context):\n    print("meow", message["body"])\n');
    await printed([
      'create',
      '--http-verb=get',
      '--http-path=/api/cats',
      '--code-file',
      join(folder, 'cats.py'),
      '--name',
      'cats',
      '--platform-uri',
      hearth.api,
    ]);
    expect(await parsed(['list', '--filter', 'http|GET|/api/*'])).toMatchObject([{ function_name: 'cats' }]);
    expect(await parsed(['list', '--filter', 'http|POST|/api/*'])).toEqual([]);
    const { container_ids: ids } = await parsed<{ container_ids: string[] }>([
      'trigger',
      '-X',
      'GET',
      '-P',
      '/api/cats',
      '--http-body',
      '{"body": 7}',
    ]);
    expect(await parsed(['lookup-instance', ids[0] as string])).toMatchObject({ function_name: 'cats' });
    await until(async () => (await printed(['logs', ids[0] as string])).includes('meow 7'));
  });

  it('runs by trigger, and is found by its instances and what it printed', async () => {
    await hearth.define('told', 'def handler(message, context):\n    print("told", message["body"])');
    const [id = ''] = (await printed(['trigger', '--http-path', '/told', '--data', '{"a": 1}'])).trim().split('\n');
    expect(await printed(['list-instances', 'told'])).toContain(id);
    expect(await printed(['lookup-instance', id])).toMatch(/function +told, version 1/);
    await until(async () => (await printed(['logs', 'told'])).includes("told {'a': 1}"));
    expect(await printed(['logs', id])).toContain('told');
    expect(await parsed(['logs', id])).toMatchObject({ instance_id: id, message: expect.stringContaining('told') });
    await using following = await backgroundCommand(['logs', '--follow', '--last', '1', '--api', hearth.api]);
    await following.says('told');
    await hearth.call('/told', { method: 'POST', body: '"again"' });
    await following.says('told again');
    expect(following.output.trimEnd().split('\n'), following.output).toHaveLength(2);
    await hearth.define('warns', 'def handler(message, context):\n    context.logger.warning("low: %s", message["body"])\n    print("fine")');
    await hearth.call('/warns', { method: 'POST', body: '"\u001b[31mA"' });
    const warning = await until(async () => /.+/.exec(await printed(['logs', 'warns', '--level', 'warn', '--since', '1h']))?.[0]);
    expect(warning).toMatch(/^\S+Z warns \S{36} WARN low: \S*\\u001b\[31mA/);
    expect(JSON.parse(await printed(['logs', 'warns', '--contains', 'LOW', '--json']))).toMatchObject({ level: 'warn', stream: 'log' });
    expect(await printed(['logs', '--until', '1h'])).toBe('');
    expect((await run(['logs', '--since', 'yore'])).stderr).toContain('--since yore is neither');
    expect((await run(['trigger', '--http-path', '/nobody'])).stderr).toContain('No function is registered for POST /nobody');
  });

  it('failed for good, and runs again', async () => {
    await hearth.define('dies', 'import os\n\ndef handler(message, context):\n    raise ValueError("no")', { retry: { attempts: 1 } });
    const { id } = JSON.parse(await printed(['invoke', 'dies', '--data', '{}', '--async'])) as { id: string };
    await until(async () => (await printed(['dead-letters'])).includes(id));
    expect(await parsed(['dead-letters', 'list', '--function', 'dies'])).toMatchObject([{ id, dead_reason: 'attempts_exhausted' }]);
    expect(JSON.parse(await printed(['dead-letters', 'show', id]))).toMatchObject({ input: { body: '{}' } });
    expect(await printed(['dead-letters', 'redrive', '--function', 'dies'])).toBe('1 is queued again.\n');
    await until(async () => (await printed(['dead-letters'])).includes(id));
    await printed(['dead-letters', 'delete', id]);
    expect(await parsed(['dead-letters', 'list'])).toEqual([]);
  });

  it('is measured and watched', async () => {
    await hearth.define('quick', 'def handler(message, context):\n    return 1');
    const measured = await parsed<Record<string, unknown>>(['bench', 'quick', '--duration', '0.2', '--connections', '2', '--data', '{}']);
    expect(measured).toMatchObject({ connections: 2, statuses: { 200: measured.calls } });
    const rows = JSON.parse(await printed(['top', '--once', '--interval', '0.1', '--json'])) as { function: string; instances: object }[];
    expect(rows.find((row) => row.function === 'quick')?.instances).not.toEqual({});
    expect(await parsed(['nodes'])).toMatchObject([{ self: true, state: 'up', gateway_url: hearth.gateway, running: 0 }]);
  });
});

describe('what is not understood', () => {
  it('is told with what to try next, and with an exit code of its own', async () => {
    const failing = async (...args: string[]) => {
      const { code, stdout, stderr } = await hearthCommand(args);
      expect(stdout).toBe('');
      return [code, stderr];
    };
    expect(await failing('lst')).toEqual([2, expect.stringContaining('Did you mean list?')]);
    expect(await failing('layers', 'bild')).toEqual([2, expect.stringMatching(/unknown command 'layers bild'\n\(Did you mean build\?\)/)]);
    expect(await failing('layers', 'list', 'bild')).toEqual([2, expect.stringContaining('too many arguments')]);
    expect(await failing('create', '--name', 'x', '--code-file', '/nowhere', '--json')).toEqual([2, expect.stringContaining('event key is missing')]);
    expect(await failing('list', '--json', '--api', 'http://127.0.0.1:1')).toEqual([4, expect.stringContaining('Start one with `hearth up`')]);
    expect(await failing('list', '--token-file', '/nowhere')).toEqual([3, expect.stringContaining('/nowhere')]);
  });

  it('has colours for terminals only, and not where they are not wanted', async () => {
    const args = ['instances', '--api', hearth.api];
    const piped = await hearthCommand(args, { TERM: 'xterm-256color' });
    expect(piped.stdout + piped.stderr).not.toContain('\u001b');
    expect(await onTerminal(args, {})).toContain('\u001b[2mID');
    expect(await onTerminal(args, { NO_COLOR: '1' })).not.toContain('\u001b');
  });
});

describe('long work on a terminal', () => {
  it('counts the files of a project as they leave, and all of them arrive', async () => {
    const project = join(folder, 'shown');
    await hearthCommand(['init', project]);
    expect(await onTerminal(['deploy', project, '--api', hearth.api, '--gateway', hearth.gateway], {})).toMatch(/shown +1 +new/);
    expect(JSON.parse(await printed(['invoke', 'shown', '--data', '{"name": "Ada"}']))).toEqual({ hello: 'Ada' });
  });

  it('shows what the installer of libraries says, and wipes it out', async () => {
    const layer = { id: 'a', name: 'science', runtime: 'python', requirements: '', created_at: 1, ready_at: null, size_bytes: null };
    let looks = 0;
    let built: ServerResponse | undefined;
    // Its second look comes after the first was shown.
    const server = createServer((request, response) => {
      if (request.method === 'POST') built = response;
      else
        response.writeHead(200, JSON_TYPE).end(JSON.stringify({ layers: [{ ...layer, state: 'building', output: 'Looking\nCollecting numpy\n' }] }));
      if (request.method === 'GET' && ++looks === 2) built?.writeHead(200, JSON_TYPE).end(JSON.stringify({ ...layer, state: 'ready', output: '' }));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      await writeFile(join(folder, 'requirements.txt'), 'numpy\n');
      const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const said = await onTerminal(['layers', 'build', 'science', '-r', join(folder, 'requirements.txt'), '--api', api], {});
      expect(said).toContain('\r\u001b[KThe layer science: building libraries: Collecting numpy … ');
      expect(said.trimEnd()).toMatch(/The layer science is ready: a\.$/);
    } finally {
      server.close();
    }
  });
});

describe('hearth dev', () => {
  it('deploys at once and whenever a file is saved, tells mistakes and what is printed', async () => {
    const project = join(folder, 'live');
    await hearthCommand(['init', project]);
    await using dev = await backgroundCommand(['dev', project, '--api', hearth.api, '--gateway', hearth.gateway]);
    await dev.says('deployed in');
    await writeFile(join(project, 'main.py'), 'def handler(message, context):\n    print("printed", "by it")\n    return "second"\n');
    await until(async () => (await run(['invoke', 'live', '--data', '{}'])).stdout === 'second');
    await dev.says('printed by it');
    await writeFile(join(project, 'main.py'), 'def handler(message, context)\n');
    await dev.says('The code is no Python');
    await writeFile(join(project, 'main.py'), 'def handler(message, context):\n    return "third"\n');
    await until(async () => (await run(['invoke', 'live', '--data', '{}'])).stdout === 'third');
  });
});

describe('completion', () => {
  it('knows commands, options and names of functions', async () => {
    const complete = async (...words: string[]) => (await hearthCommand(['complete', '--', ...words])).stdout.trim().split('\n');
    expect(await complete('dead-l')).toEqual(['dead-letters']);
    expect(await complete('dead-letters', 're')).toEqual(['redrive']);
    expect(await complete('invoke', '--head')).toEqual(['--header']);
    expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  it.each(['bash', 'zsh', 'fish'])('gives %s what it reads', async (shell) => {
    const { code, stdout } = await hearthCommand(['completion', shell]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('hearth complete --')]);
  });
});
