import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { definition } from '../registry/make-registry.ts';
import { makeApi, type TestApi } from './make-api.ts';

describe('schedules over the API', () => {
  let api: TestApi;

  beforeEach(async () => {
    api = await makeApi();
  });
  afterEach(() => api.close());

  const register = (name: string, members: object = {}) =>
    api.request('POST', '/functions', { ...definition({ function_name: name, event_type: 'cron|TZ=America/New_York 0 9 1 1 *' }), ...members });

  it('shows what was decided on, and the next five instants, at registration and afterwards', async () => {
    const registered = (await register('a', { schedule: { jitter_s: 30, on_failure: { function: 'alarm' } } })).json();
    const policy = {
      missed: 'once',
      missed_within_s: 86_400,
      overlap: 'forbid',
      jitter_s: 30,
      on_failure: { after: 1, function: 'alarm' },
      on_recovery: null,
    };
    expect(registered.schedule).toEqual(policy);
    const instants: number[] = registered.next_firings;
    expect(instants).toHaveLength(5);
    for (const at of instants) expect(new Date(at).toISOString()).toMatch(/^\d{4}-01-01T14:00:00\.000Z$/);
    await api.request('POST', '/schedules/a/resume');
    const shown = (await api.request('GET', '/schedules/a')).json();
    expect(shown).toMatchObject({
      ...policy,
      function_name: 'a',
      version: 1,
      paused: false,
      next_firings: instants,
      firings: [],
      last_firing: null,
      open: 0,
    });
    const listed = (await api.request('GET', '/functions/a')).json();
    expect(listed).toMatchObject({ schedule: policy });
  });

  it('warns when there is nobody to be told', async () => {
    const { warnings } = (await register('a', { schedule: { on_failure: { function: 'alarm' }, on_recovery: { function: 'alarm' } } })).json();
    expect(warnings).toEqual([expect.stringContaining('"alarm"')]);
    await register('alarm');
    expect((await register('b', { schedule: { on_failure: { function: 'alarm' } } })).json().warnings).toEqual([]);
    expect((await register('c', { schedule: { on_failure: { function: 'c' } } })).json().warnings).toEqual([]);
  });

  it('lists them a page at a time, by name', async () => {
    for (const name of ['c', 'a', 'b']) await register(name);
    await api.request('POST', '/functions', definition());
    const first = (await api.request('GET', '/schedules?limit=2')).json();
    expect(first.schedules.map(({ function_name }: { function_name: string }) => function_name)).toEqual(['a', 'b']);
    expect(first.next_after).toBe('b');
    const second = (await api.request('GET', '/schedules?limit=2&after=b')).json();
    expect(second).toMatchObject({ schedules: [{ function_name: 'c' }], next_after: null });
    await api.request('DELETE', '/functions/c');
    expect((await api.request('GET', '/schedules?after=b')).json().schedules).toEqual([]);
  });

  it('pauses and resumes one, and fires it by hand', async () => {
    await register('a');
    expect((await api.request('POST', '/schedules/a/pause')).json()).toMatchObject({ paused: true, next_at: null });
    expect((await api.request('POST', '/schedules/a/pause')).json()).toMatchObject({ paused: true });
    const run = await api.request('POST', '/schedules/a/run');
    expect(run.statusCode).toBe(202);
    const { id } = run.json();
    expect(run.headers.location).toBe(`/invocations/${id}`);
    expect((await api.request('GET', '/schedules/a')).json()).toMatchObject({
      open: 1,
      last_firing: { id, kind: 'manual', state: 'open' },
      last_outcome: null,
    });
    const again = await api.request('POST', '/schedules/a/run');
    expect(again.statusCode).toBe(409);
    expect(again.json().detail).toContain(id);
    const resumed = (await api.request('POST', '/schedules/a/resume')).json();
    expect(resumed.paused).toBe(false);
    expect(resumed.next_at).toBeGreaterThan(Date.now());
  });

  it('keeps no schedule of a function that is rolled back to HTTP, and has it again with its version', async () => {
    await register('a');
    await api.request('POST', '/functions', definition({ function_name: 'a' }));
    expect((await api.request('GET', '/schedules/a')).statusCode).toBe(404);
    await api.request('POST', '/functions/a/rollback', { version: 1 });
    expect((await api.request('GET', '/schedules/a')).json()).toMatchObject({ version: 1, event_type: 'cron|TZ=America/New_York 0 9 1 1 *' });
  });

  it.for([
    ['GET', '/schedules/echo'],
    ['POST', '/schedules/echo/pause'],
    ['POST', '/schedules/echo/resume'],
    ['POST', '/schedules/echo/run'],
  ])('%s %s is 404 for a function that no clock runs', async ([method, url]) => {
    await api.request('POST', '/functions', definition());
    const response = await api.request(method as string, url as string);
    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({ code: 'not_found', detail: expect.stringContaining('There is no schedule "echo"') });
  });
});
