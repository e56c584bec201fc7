import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Hearth, json, sleep } from '../../support/hearth.ts';

const FLASK = `
import os
from flask import Flask, Response, request

app = Flask(__name__)

@app.get('/flask/hello/<name>')
def hello(name):
    return {'hello': name, 'query': request.args, 'forwarded': request.headers['X-Forwarded-Proto']}

@app.post('/flask/upload')
def upload():
    file = request.files['file']
    return {'name': file.filename, 'bytes': len(file.read()), 'field': request.form['field']}

@app.get('/flask/stream')
def stream():
    return Response((f'line {number}\\n' for number in range(3)), mimetype='text/plain')

if __name__ == '__main__':
    app.run('127.0.0.1', int(os.environ['PORT']))
`;

const FASTAPI = `
import asyncio
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

class Cat(BaseModel):
    name: str
    age: int

app = FastAPI(docs_url='/fast/docs', openapi_url='/fast/openapi.json')

@app.post('/fast/cats', status_code=201)
async def add(cat: Cat):
    return {'added': cat.name, 'next_year': cat.age + 1}

@app.get('/fast/events')
async def events():
    async def pieces():
        for number in range(3):
            yield f'data: {number}\\n\\n'
            await asyncio.sleep(0.02)
    return StreamingResponse(pieces(), media_type='text/event-stream')
`;

const EXPRESS = `
import { readFileSync } from 'node:fs';
import express from 'express';

const { from } = JSON.parse(readFileSync(new URL('data.json', import.meta.url), 'utf8'));
const app = express();
app.use(express.json());
app.get(['/_/ready', '/_/health'], (request, response) => response.send('ok'));
app.post('/express/cats', (request, response) => response.status(201).json({ added: request.body.name, from }));
app.get('/express/stream', async (request, response) => {
  for (const piece of ['one ', 'two ', 'three']) {
    response.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  response.end();
});
app.get('/express/broken', () => {
  throw new Error('broken');
});
app.listen(process.env.PORT);
`;

/** An app with its libraries, as its author would deploy it: a tar.gz. */
async function expressApp(): Promise<AsyncDisposable & { archive: Buffer<ArrayBuffer> }> {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-express-'));
  const archive = `${folder}.tar.gz`;
  const dispose = () => Promise.all([folder, archive].map((path) => rm(path, { recursive: true, force: true })));
  try {
    await writeFile(join(folder, 'package.json'), '{"private": true}');
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', 'express@5'], { cwd: folder });
    await writeFile(join(folder, 'server.mjs'), EXPRESS);
    await writeFile(join(folder, 'data.json'), '{"from": "data.json"}');
    await rm(join(folder, 'node_modules/.bin'), { recursive: true, force: true });
    await run('tar', ['-czf', archive, '-C', folder, '.']);
    return { archive: await readFile(archive), [Symbol.asyncDispose]: async () => void (await dispose()) };
  } catch (error) {
    await dispose();
    throw error;
  }
}

const run = promisify(execFile);

describe('apps of web frameworks, unmodified', () => {
  let hearth: Hearth;

  beforeAll(async () => {
    hearth = await Hearth.start();
    await Promise.all([
      hearth.define('flask', FLASK, { style: 'server', event_type: 'http|*|/flask/*', requirements: 'flask' }),
      hearth.define('fast', FASTAPI, {
        style: 'server',
        event_type: 'http|*|/fast/*',
        requirements: 'fastapi\nuvicorn',
        command: ['python', '-m', 'uvicorn', 'function:app', '--port', '8080'],
      }),
    ]);
  }, 240_000);
  afterAll(() => hearth[Symbol.asyncDispose]());

  test('Flask: routes, uploads, streams, and its own errors', async () => {
    expect(await json(await hearth.call('/flask/hello/w%C3%B6rld?a=1'))).toEqual({ hello: 'wörld', query: { a: '1' }, forwarded: 'http' });
    const form = new FormData();
    form.set('field', 'value');
    form.set('file', new Blob([Buffer.alloc(100_000, 7)]), 'cat.bin');
    expect(await json(await hearth.call('/flask/upload', { method: 'POST', body: form }))).toEqual({
      name: 'cat.bin',
      bytes: 100_000,
      field: 'value',
    });
    expect(await (await hearth.call('/flask/stream')).text()).toBe('line 0\nline 1\nline 2\n');
    const missing = await hearth.call('/flask/nothing');
    expect([missing.status, missing.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
  });

  test('FastAPI under uvicorn: validation, its own documentation, server-sent events', async () => {
    const post = (body: unknown) =>
      hearth.call('/fast/cats', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    const added = await post({ name: 'Tom', age: 3 });
    expect([added.status, await added.json()]).toEqual([201, { added: 'Tom', next_year: 4 }]);
    expect((await post({ name: 'Tom', age: 'old' })).status).toBe(422);
    expect(await json(await hearth.call('/fast/openapi.json'))).toHaveProperty('openapi');
    expect(await (await hearth.call('/fast/events')).text()).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
  });

  test('Express, with its node_modules in the bundle: routes, JSON bodies, streams, errors', async () => {
    await using app = await expressApp();
    const response = await fetch(`${hearth.api}/bundles`, { method: 'POST', headers: { 'Content-Type': 'application/gzip' }, body: app.archive });
    const { bundle } = (await json(response)) as { bundle: string };
    await hearth.register({
      event_type: 'http|*|/express/*',
      function_name: 'express',
      bundle,
      entry: 'server.mjs',
      runtime: 'nodejs',
      style: 'server',
      server: { ready_path: '/_/ready', health_path: '/_/health' },
    });
    const post = await hearth.call('/express/cats', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"name": "Tom"}' });
    expect([post.status, post.headers.get('x-powered-by'), await post.json()]).toEqual([201, 'Express', { added: 'Tom', from: 'data.json' }]);
    expect(await (await hearth.call('/express/stream')).text()).toBe('one two three');
    expect((await hearth.call('/express/nothing')).status).toBe(404);
    expect((await hearth.call('/express/broken')).status).toBe(500);
    // Express keeps connections for 5 s; ours are given up before.
    for (const pause of [0, 900, 1100]) {
      await sleep(pause);
      expect((await hearth.call('/express/cats', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })).status).toBe(201);
    }
  }, 120_000);

  test('many at once, over connections that are used again', async () => {
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => hearth.call(`/flask/hello/${at}`).then(json)));
      expect(answers.map(({ hello }) => hello)).toEqual(Array.from({ length: 20 }, (_, at) => String(at)));
      await sleep(20);
    }
  });

  test("functions of OpenFaaS' and OpenWhisk's shape run as they are", async () => {
    await hearth.define('faas', "def handle(event, context):\n    return {'statusCode': 202, 'body': event.method + ' ' + event.body.decode()}\n");
    const faas = await hearth.call('/faas', { method: 'POST', body: 'x' });
    expect([faas.status, await faas.text()]).toEqual([202, 'POST x']);
    await hearth.define('whisk', "def main(args):\n    return {'greeting': 'Hello ' + args.get('name', 'stranger')}\n");
    expect(await json(await hearth.call('/whisk?name=Ada'))).toEqual({ greeting: 'Hello Ada' });
    expect(await hearth.get('/functions/whisk')).toMatchObject({ style: 'handler' });
  });
});
