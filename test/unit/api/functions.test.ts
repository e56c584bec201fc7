import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { definition } from '../registry/make-registry.ts';
import { makeApi, type TestApi } from './make-api.ts';

describe('functions over the API', () => {
  let api: TestApi;

  beforeEach(async () => {
    api = await makeApi();
  });
  afterEach(() => api.close());

  it('registers what the seed registered, and says ok as it did', async () => {
    const response = await api.request('POST', '/functions', {
      event_type: 'http|GET|/api/cats',
      function_code: 'import this',
      function_name: 'cats',
    });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      status: 'ok',
      event_type: 'http|GET|/api/cats',
      function_name: 'cats',
      version: 1,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      runtime: 'python',
      secrets: [],
      style: 'script',
      timeout_ms: 60_000,
      network: 'egress',
      layers: [(await api.layers.default()).id],
      concurrency: 8,
      max_instances: 1000,
      max_queue: 256,
      async: 'allowed',
      retry: { attempts: 3, min_backoff_ms: 1000, max_backoff_ms: 60_000, max_age_s: 21_600 },
      reserved: 0,
      min_idle_ms: 0,
      max_idle_ms: null,
      memory_mb: null,
      cpu: null,
      destinations: null,
      invokes: [],
      access: null,
      cors: null,
      rate_limit: null,
      schedule: null,
      command: null,
      server: null,
      stream_body: false,
      websocket: false,
      error_logs: false,
      slo: null,
      created_at: expect.any(Number),
      created: true,
      warnings: [],
    });
    expect(
      (await api.request('POST', '/functions', { event_type: 'http|GET|/api/cats', function_code: 'import this', function_name: 'cats' })).json(),
    ).toMatchObject({ status: 'ok', version: 1, created: false });
  });

  it('lists functions by event key without their code, and no key whose functions are gone', async () => {
    expect((await api.request('GET', '/functions')).json()).toEqual({});
    await api.request('POST', '/functions', definition({ function_name: 'b' }));
    await api.request('POST', '/functions', definition({ function_name: 'a' }));
    await api.request('POST', '/functions', definition({ function_name: 'c', event_type: 'http|GET|/gone' }));
    await api.request('DELETE', '/functions/c');
    const listed = (await api.request('GET', '/functions')).json();
    expect(Object.keys(listed)).toEqual(['http|POST|/echo']);
    expect(listed['http|POST|/echo']).toMatchObject([
      { event_type: 'http|POST|/echo', function_name: 'a', version: 1, style: 'script', timeout_ms: 60_000 },
      { event_type: 'http|POST|/echo', function_name: 'b' },
    ]);
    expect(listed['http|POST|/echo'][0]).not.toHaveProperty('function_code');
  });

  it('deletes a function, and answers ok for a name that is not there', async () => {
    await api.request('POST', '/functions', definition());
    expect((await api.request('DELETE', '/functions/echo')).json()).toEqual({ status: 'ok', deleted: true });
    const again = await api.request('DELETE', '/functions/no%20such%20function');
    expect(again.statusCode).toBe(200);
    expect(again.json()).toEqual({ status: 'ok', deleted: false });
  });

  it('deletes also when the client names the type of a body that it does not send', async () => {
    const response = await api.app.inject({ method: 'DELETE', url: '/functions/echo', headers: { 'content-type': 'application/json' } });
    expect(response.json()).toEqual({ status: 'ok', deleted: false });
  });

  it('gives the current version with its code, and each version', async () => {
    await api.request('POST', '/functions', definition({ environment: { A: 'b' }, requirements: 'own' }));
    await api.request('POST', '/functions', definition({ function_code: 'print(2)' }));
    expect((await api.request('GET', '/functions/echo')).json()).toMatchObject({
      version: 2,
      function_code: 'print(2)',
      requirements: null,
      environment: {},
    });
    expect((await api.request('GET', '/functions/echo/versions/1')).json()).toMatchObject({
      version: 1,
      function_code: 'print(1)',
      requirements: 'own',
      environment: { A: 'b' },
    });
    const { versions } = (await api.request('GET', '/functions/echo/versions')).json();
    expect(versions).toMatchObject([{ version: 2 }, { version: 1 }]);
    expect(versions[0]).not.toHaveProperty('function_code');

    await api.request('DELETE', '/functions/echo');
    expect((await api.request('GET', '/functions/echo')).statusCode).toBe(404);
    expect((await api.request('GET', '/functions/echo/versions')).json().versions).toHaveLength(2);
  });

  it('reaches a function with the longest name there may be', async () => {
    const name = 'n'.repeat(128);
    await api.request('POST', '/functions', definition({ function_name: name }));
    expect((await api.request('GET', `/functions/${name}`)).json()).toMatchObject({ function_name: name });
  });

  it.for(['/functions/none', '/functions/none/versions', '/functions/none/versions/1'])('answers 404 for %s', async (url) => {
    const response = await api.request('GET', url);
    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({ code: 'not_found', detail: expect.stringContaining('"none"') });
  });

  it.for([
    [{}, ['event_type', 'function_name']],
    [{ event_type: 'http|GET|/cats', function_name: 'cats' }, ['function_code']],
    [{ ...definition(), shoe_size: 44 }, ['shoe_size']],
    [{ ...definition(), function_name: '../etc' }, ['function_name']],
    [{ ...definition(), function_name: 'trigger' }, ['function_name']],
    [{ ...definition(), function_name: 'instances' }, ['function_name']],
    [{ ...definition(), function_code: '' }, ['function_code']],
    [{ ...definition(), timeout_ms: '5' }, ['timeout_ms']],
    [{ ...definition(), timeout_ms: 0 }, ['timeout_ms']],
    [{ ...definition(), style: 'wasm' }, ['style']],
    [{ ...definition(), layers: ['a', 'B!'] }, ['layers.1']],
    [{ ...definition(), environment: { A: 1 } }, ['environment.A']],
    [{ ...definition(), environment: { 'A-B': 'x' } }, ['environment.A-B']],
    ['text', ['body']],
  ] as const)('refuses %j and names %j', async ([body, fields]) => {
    const payload = JSON.stringify(body);
    const response = await api.app.inject({ method: 'POST', url: '/functions', payload, headers: { 'content-type': 'application/json' } });
    expect(response.statusCode).toBe(422);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    const problem = response.json();
    expect(problem).toMatchObject({ type: 'urn:hearth:error:invalid_request', status: 422, code: 'invalid_request', fault: 'caller' });
    expect(problem.errors.map((error: { field: string }) => error.field).sort()).toEqual([...fields].sort());
    expect(problem.detail).toContain(fields[0]);
    expect(api.registry.list()).toEqual([]);
  });

  it('names the values that a member may have', async () => {
    const { detail } = (await api.request('POST', '/functions', { ...definition(), style: 'wasm' })).json();
    expect(detail).toBe('style must be one of "script", "handler", "web", "server", "lambda".');
  });

  it('says what is wrong with the code, the event key, the layers', async () => {
    const problem = async (members: object) => (await api.request('POST', '/functions', { ...definition(), ...members })).json();
    expect(await problem({ function_code: 'syntax error' })).toMatchObject({ status: 422, code: 'invalid_code', line: 1 });
    expect(await problem({ event_type: 'http|GET' })).toMatchObject({
      status: 422,
      code: 'invalid_request',
      detail: expect.stringContaining('event key'),
    });
    expect(await problem({ layers: ['unknown'] })).toMatchObject({ status: 422, code: 'unknown_layer' });
    expect(await problem({ requirements: 'broken' })).toMatchObject({
      code: 'layer_build_failed',
      output: expect.stringContaining('No matching distribution'),
    });
  });
});
