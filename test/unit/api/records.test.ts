import { afterEach, describe, expect, it } from 'vitest';
import type { ApiDependencies, TriggerRequest } from '../../../src/api/dependencies.ts';
import { HearthError } from '../../../src/errors.ts';
import { definition } from '../registry/make-registry.ts';
import { instanceRecord, invocationRecord } from '../store/records.ts';
import { makeApi, type TestApi } from './make-api.ts';

describe('records and triggers over the API', () => {
  let api: TestApi;

  afterEach(() => api.close());

  async function open(parts: Parameters<typeof makeApi>[0] = {}): Promise<void> {
    api = await makeApi(parts);
  }

  const trigger = { http_header: 'A: b', http_body: '{"body": 1}', http_path: '/echo', http_verb: 'POST' };

  it('triggers functions with what it was given, verbatim', async () => {
    const requests: TriggerRequest[] = [];
    await open({
      trigger: async (request) => {
        requests.push(request);
        return { correlationId: 'c', instanceIds: ['i1', 'i2'] };
      },
    });
    const response = await api.request('POST', '/functions/trigger', trigger);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ status: 'ok', container_ids: ['i1', 'i2'] });
    expect(requests).toEqual([{ headerLines: 'A: b', body: '{"body": 1}', path: '/echo', verb: 'POST' }]);
  });

  it.for(['no_function', 'method_not_allowed'] as const)('answers a trigger that fails with %s with ok and no instances', async (code) => {
    await open({
      trigger: async () => {
        throw new HearthError(code, 'none');
      },
    });
    const response = await api.request('POST', '/functions/trigger', trigger);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ status: 'ok', container_ids: [] });
  });

  it('hands on what keeps a trigger from an instance, with Retry-After', async () => {
    await open({
      trigger: async () => {
        throw new HearthError('queue_full', 'too many wait', { retryAfter: 3, extra: { reason: 'function_queue' } });
      },
    });
    const response = await api.request('POST', '/functions/trigger', trigger);
    expect(response.statusCode).toBe(429);
    expect(response.headers['retry-after']).toBe('3');
    expect(response.json()).toMatchObject({ code: 'queue_full', reason: 'function_queue' });
  });

  it('refuses a trigger with a member missing', async () => {
    await open();
    const response = await api.request('POST', '/functions/trigger', { ...trigger, http_body: undefined });
    expect(response.statusCode).toBe(422);
    expect(response.json().errors).toEqual([{ field: 'http_body', message: 'is missing' }]);
  });

  describe('instances', () => {
    const live = [
      instanceRecord({ id: 'new', startedAt: 300, state: 'busy' }),
      instanceRecord({ id: 'old', startedAt: 100, functionName: 'other', readyAt: null, state: 'starting' }),
    ];
    const parts: Pick<ApiDependencies, 'liveInstances' | 'instanceLogs'> = {
      liveInstances: () => live,
      instanceLogs: (id) => (id === 'new' ? 'so far ✓\n' : undefined),
    };
    const ids = async (url: string) => (await api.request('GET', url)).json().instances.map((instance: { id: string }) => instance.id);

    it('lists the live ones, and with all the stopped ones, by what is newer in memory', async () => {
      await open(parts);
      await api.store.writeInstances([
        instanceRecord({ id: 'stopped', startedAt: 200, state: 'stopped', stoppedAt: 250, stopReason: 'idle', logs: 'bye' }),
        instanceRecord({ id: 'new', startedAt: 300, state: 'starting' }),
      ]);
      expect(await ids('/functions/instances')).toEqual(['new', 'old']);
      expect(await ids('/functions/instances?all=false')).toEqual(['new', 'old']);
      expect(await ids('/functions/instances?all=true')).toEqual(['new', 'stopped', 'old']);
      expect(await ids('/functions/instances?all=true&limit=2')).toEqual(['new', 'stopped']);
      expect(await ids('/functions/instances?function_name=other')).toEqual(['old']);
      expect(await ids('/functions/instances?function_name=other&all=true')).toEqual(['old']);
      const [first] = (await api.request('GET', '/functions/instances?all=true')).json().instances;
      expect(first).toEqual({
        id: 'new',
        function_name: 'echo',
        version: 1,
        driver: 'process',
        state: 'busy',
        started_at: 300,
        ready_at: 1100,
        stopped_at: null,
        stop_reason: null,
        invocations: 3,
      });
    });

    it('gives one, live or stopped, and its logs as text', async () => {
      await open(parts);
      await api.store.writeInstances([instanceRecord({ id: 'stopped', state: 'stopped', stoppedAt: 250, stopReason: 'idle', logs: 'bye\u0000\n' })]);
      await api.store.writeInstances([instanceRecord({ id: 'silent', state: 'stopped', logs: null })]);
      expect((await api.request('GET', '/functions/instances/new')).json()).toMatchObject({ id: 'new', state: 'busy' });
      expect((await api.request('GET', '/functions/instances/stopped')).json()).toMatchObject({
        state: 'stopped',
        stop_reason: 'idle',
        stopped_at: 250,
      });
      const logs = await api.request('GET', '/functions/instances/new/logs');
      expect(logs.headers['content-type']).toBe('text/plain; charset=utf-8');
      expect(logs.body).toBe('so far ✓\n');
      expect((await api.request('GET', '/functions/instances/stopped/logs')).body).toBe('bye\u0000\n');
      const silent = await api.request('GET', '/functions/instances/silent/logs');
      expect([silent.statusCode, silent.body]).toEqual([200, '']);
    });

    it('answers 404 for one that is not known', async () => {
      await open(parts);
      for (const url of ['/functions/instances/none', '/functions/instances/none/logs']) {
        const response = await api.request('GET', url);
        expect([response.statusCode, response.json().code]).toEqual([404, 'not_found']);
      }
    });
  });

  describe('invocations', () => {
    it('lists them page by page, by function and state', async () => {
      await open();
      await api.store.writeInvocations(
        [1, 2, 3, 4, 5].map((number) =>
          invocationRecord({
            id: `i${number}`,
            acceptedAt: number * 100,
            functionName: number % 2 ? 'odd' : 'even',
            state: number > 3 ? 'failed' : 'succeeded',
          }),
        ),
      );
      const page = async (query: string) => {
        const { invocations, next_before } = (await api.request('GET', `/invocations?${query}`)).json();
        return [invocations.map((record: { id: string }) => record.id).join(' '), next_before];
      };
      expect(await page('limit=2')).toEqual(['i5 i4', 400]);
      expect(await page('limit=2&before=400')).toEqual(['i3 i2', 200]);
      expect(await page('limit=2&before=200')).toEqual(['i1', null]);
      expect(await page('limit=5')).toEqual(['i5 i4 i3 i2 i1', null]);
      expect(await page('limit=1000')).toEqual(['i5 i4 i3 i2 i1', null]);
      expect(await page('')).toEqual(['i5 i4 i3 i2 i1', null]);
      expect(await page('function_name=odd&state=failed')).toEqual(['i5', null]);
      expect(await page('function_name=nobody')).toEqual(['', null]);
    });

    it('loses none between two pages when several were accepted in one millisecond', async () => {
      await open();
      const instants = [100, 200, 200, 200, 300, 300];
      await api.store.writeInvocations(instants.map((acceptedAt, index) => invocationRecord({ id: `i${index}`, acceptedAt })));
      const seen: string[] = [];
      let query = 'limit=4';
      for (let pages = 0; pages < 3; pages += 1) {
        const { invocations, next_before } = (await api.request('GET', `/invocations?${query}`)).json();
        seen.push(invocations.map((record: { id: string }) => record.id).join(' '));
        query = `limit=4&before=${next_before}`;
        if (next_before === null) break;
      }
      expect(seen).toEqual(['i5 i4', 'i3 i2 i1 i0']);
    });

    it('gives one with every member, or 404', async () => {
      await open();
      await api.store.writeInvocations([invocationRecord({ id: 'i', logs: 'hello', queueMs: 0.5 })]);
      expect((await api.request('GET', '/invocations/i')).json()).toEqual({
        id: 'i',
        correlation_id: 'correlation',
        function_name: 'echo',
        version: 1,
        instance_id: 'instance',
        trigger: 'gateway',
        state: 'succeeded',
        verb: 'POST',
        path: '/echo',
        request_id: null,
        start: 'warm',
        status: 200,
        error_code: null,
        error_message: null,
        accepted_at: 1000,
        due_at: null,
        ended_at: 2000,
        queue_ms: 0.5,
        start_ms: 2,
        run_ms: 3,
        priority: null,
        attempt: 1,
        dead_reason: null,
        replay_of: null,
        attempts: [expect.objectContaining({ number: 1, outcome: 'succeeded', status: 200, instance_id: 'instance', logs: 'hello' })],
        result: null,
        callback: null,
        deliveries: [],
        mode: 'sync',
        logs: 'hello',
      });
      expect((await api.request('GET', '/invocations')).json().invocations[0]).not.toHaveProperty('logs');
      expect((await api.request('GET', '/invocations/none')).statusCode).toBe(404);
    });

    it.for(['limit=0', 'limit=1001', 'limit=x', 'state=lost', 'colour=red', 'before=yesterday'])('refuses %s', async (query) => {
      await open();
      const response = await api.request('GET', `/invocations?${query}`);
      expect(response.statusCode).toBe(422);
      expect(response.json().errors[0].field).toBe(query.split('=')[0]);
    });
  });

  describe('layers', () => {
    it('builds one under a name, lists it, and deletes it by name or id', async () => {
      await open();
      const built = await api.request('POST', '/layers', { name: 'science', requirements: 'numpy\n' });
      expect(built.statusCode).toBe(200);
      expect(built.json()).toMatchObject({ id: expect.any(String), name: 'science', requirements: 'numpy\n', state: 'ready', size_bytes: 10 });
      expect((await api.request('GET', '/layers')).json()).toEqual({ layers: [built.json()] });
      expect((await api.request('DELETE', '/layers/science')).json()).toEqual({ status: 'ok', deleted: true });
      expect((await api.request('DELETE', '/layers/science')).statusCode).toBe(404);
      const again = (await api.request('POST', '/layers', { name: 'science', requirements: 'numpy\n' })).json();
      expect((await api.request('DELETE', `/layers/${again.id}`)).statusCode).toBe(200);
      expect((await api.request('GET', '/layers')).json()).toEqual({ layers: [] });
    });

    it("answers 422 with pip's output when it can not be built", async () => {
      await open();
      const response = await api.request('POST', '/layers', { name: 'science', requirements: 'broken\n' });
      expect(response.statusCode).toBe(422);
      expect(response.json()).toMatchObject({ code: 'layer_build_failed', output: expect.stringContaining('No matching distribution') });
    });

    it('does not delete one that a current function uses, and says which', async () => {
      await open();
      await api.request('POST', '/layers', { name: 'science', requirements: 'numpy\n' });
      await api.request('POST', '/functions', definition({ layers: ['science'] }));
      const refused = await api.request('DELETE', '/layers/science');
      expect(refused.statusCode).toBe(409);
      expect(refused.json()).toMatchObject({ code: 'conflict', functions: ['echo'], detail: expect.stringContaining('echo') });
      await api.request('DELETE', '/functions/echo');
      expect((await api.request('DELETE', '/layers/science')).statusCode).toBe(200);
    });
  });
});
