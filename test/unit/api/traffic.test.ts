import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TrafficMonitor } from '../../../src/registry/traffic-monitor.ts';
import { definition } from '../registry/make-registry.ts';
import { makeApi, type TestApi } from './make-api.ts';

describe('versions and their traffic over the API', () => {
  let api: TestApi;
  let monitor: TrafficMonitor;

  beforeEach(async () => {
    monitor = new TrafficMonitor(() => 0);
    api = await makeApi({}, {}, { monitor });
    for (const number of [1, 2, 3]) await api.request('POST', '/functions', definition({ function_code: `print(${number})` }));
  });
  afterEach(() => api.close());

  it('rolls back to the version before, without a body, and to one that is named', async () => {
    const before = await api.request('POST', '/functions/echo/rollback');
    expect([before.statusCode, before.json()]).toEqual([
      200,
      expect.objectContaining({ status: 'ok', function_name: 'echo', version: 2, rolled_back_from: 3, warnings: [] }),
    ]);
    expect((await api.request('GET', '/functions/echo')).json()).toMatchObject({ version: 2, function_code: 'print(2)' });
    expect((await api.request('POST', '/functions/echo/rollback', { version: 1 })).json()).toMatchObject({ version: 1, rolled_back_from: 2 });
    expect((await api.request('POST', '/functions', definition({ function_code: 'print(3)' }))).json()).toMatchObject({ version: 4, created: true });
  });

  it.each([
    ['/functions/echo/rollback', { version: 9 }, 404, 'unknown_version'],
    ['/functions/nobody/rollback', {}, 404, 'not_found'],
    ['/functions/echo/rollback', { version: 0 }, 422, 'invalid_request'],
    ['/functions/echo/rollback', { number: 1 }, 422, 'invalid_request'],
  ])('answers POST %s %j with %i %s', async (url, body, status, code) => {
    const response = await api.request('POST', url, body);
    expect([response.statusCode, response.json().code]).toEqual([status, code]);
  });

  it('sets, shows and ends a split', async () => {
    expect((await api.request('GET', '/functions/echo/traffic')).json()).toMatchObject({ status: 404, code: 'not_found' });
    const put = await api.request('PUT', '/functions/echo/traffic', {
      weights: { 2: 90, 3: 10 },
      sticky_header: 'X-User',
      rollback_on: { error_rate: 0.2, minimum_calls: 20, window_ms: 60_000 },
    });
    const shown = {
      function_name: 'echo',
      current_version: 3,
      state: 'active',
      weights: { 2: 90, 3: 10 },
      sticky_header: 'x-user',
      rollback_on: { error_rate: 0.2, minimum_calls: 20, window_ms: 60_000 },
      rolled_back: null,
      versions: [
        { version: 3, weight: 10, calls: 0, errors: 0 },
        { version: 2, weight: 90, calls: 0, errors: 0 },
      ],
      counted_since: expect.any(Number),
      created_at: expect.any(Number),
    };
    expect([put.statusCode, put.json()]).toEqual([200, { status: 'ok', ...shown, warnings: [] }]);
    expect((await api.request('GET', '/functions/echo/traffic')).json()).toEqual(shown);
    expect((await api.request('DELETE', '/functions/echo/traffic')).json()).toEqual({
      status: 'ok',
      deleted: true,
      current_version: 3,
      warnings: [],
    });
    expect((await api.request('DELETE', '/functions/echo/traffic')).json()).toMatchObject({ status: 'ok', deleted: false });
    expect((await api.request('GET', '/functions/echo/traffic')).statusCode).toBe(404);
    expect((await api.request('DELETE', '/functions/nobody/traffic')).statusCode).toBe(404);
  });

  it('takes null for what is not wanted', async () => {
    const put = await api.request('PUT', '/functions/echo/traffic', { weights: { 3: 100 }, sticky_header: null, rollback_on: null });
    expect([put.statusCode, put.json()]).toEqual([200, expect.objectContaining({ sticky_header: null, rollback_on: null })]);
  });

  it('shows counts, and an automatic rollback with its reason', async () => {
    await api.request('PUT', '/functions/echo/traffic', {
      weights: { 2: 50, 3: 50 },
      rollback_on: { error_rate: 0.4, minimum_calls: 2, window_ms: 1000 },
    });
    const observe = (versionNumber: number, status: number) =>
      monitor.observe({ functionName: 'echo', versionNumber, state: 'succeeded', status, errorCode: null });
    observe(2, 500);
    observe(3, 200);
    observe(3, 503);
    expect((await api.request('GET', '/functions/echo/traffic')).json()).toMatchObject({
      state: 'rolled_back',
      weights: { 2: 100, 3: 0 },
      rolled_back: { version: 3, at: expect.any(Number), reason: '1 of the last 2 calls of version 3 failed, which is more than 0.4 of them.' },
      versions: [
        { version: 3, weight: 0, calls: 2, errors: 1 },
        { version: 2, weight: 100, calls: 1, errors: 1 },
      ],
    });
  });

  it.each([
    [{}, 'weights'],
    [{ weights: {} }, 'weights'],
    [{ weights: { 2: 50, 3: 49 } }, 'weights'],
    [{ weights: { 2: 50.5, 3: 49.5 } }, 'weights.2'],
    [{ weights: { 2: -1, 3: 101 } }, 'weights.2'],
    [{ weights: { latest: 100 } }, 'weights.latest'],
    [{ weights: { '03': 100 } }, 'weights.03'],
    [{ weights: { 4: 100 } }, 'weights.4'],
    [{ weights: { 3: 100 }, sticky_header: 'no token' }, 'sticky_header'],
    [{ weights: { 3: 100 }, sticky_header: 7 }, 'sticky_header'],
    [{ weights: { 2: 50, 3: 50 }, rollback_on: { error_rate: 2, minimum_calls: 1, window_ms: 1000 } }, 'rollback_on.error_rate'],
    [{ weights: { 2: 50, 3: 50 }, rollback_on: { error_rate: 0.5, minimum_calls: 1 } }, 'rollback_on.window_ms'],
    [{ weights: { 2: 50, 3: 50 }, rollback_on: 'always' }, 'rollback_on'],
    [{ weights: { 3: 100 }, colour: 'green' }, 'colour'],
  ])('refuses %j and names %s', async (body, field) => {
    const response = await api.request('PUT', '/functions/echo/traffic', body);
    expect([response.statusCode, response.json().code]).toEqual([422, 'invalid_request']);
    expect(response.json().errors.map((error: { field: string }) => error.field)).toContain(field);
    expect((await api.request('GET', '/functions/echo/traffic')).statusCode).toBe(404);
  });
});
