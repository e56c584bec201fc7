import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Hearth, json, until } from '../../support/hearth.ts';
import { hearthCommand } from '../../support/hearth-command.ts';

interface FiringOnTheWire {
  id: string;
  scheduled_at: number;
  kind: string;
  state: string;
  reason: string | null;
}

const firingsOf = async (hearth: Hearth, name: string) => {
  const { firings } = (await hearth.get(`/schedules/${name}`)) as { firings: FiringOnTheWire[] };
  // What was missed is fired at one time, in no order of the list.
  return firings.sort((a, b) => a.scheduled_at - b.scheduled_at);
};
const done = ({ state }: FiringOnTheWire) => state === 'succeeded' || state === 'failed';

const TELL = 'import json\ndef handler(message, context):\n    print(json.dumps(message["body"]))\n    return {}\n';

describe('functions that are run by the clock', () => {
  test('run every second, once each, handlers and scripts alike, and their invocations say so', async () => {
    await using hearth = await Hearth.start();
    const registered = await hearth.register({ event_type: 'cron|* * * * * *', function_name: 'tick', function_code: TELL });
    expect(registered.next_firings).toHaveLength(5);
    expect(registered.schedule).toMatchObject({ missed: 'once', overlap: 'forbid', jitter_s: 0 });
    const script = 'import os\nprint(os.environ["HTTP_VERB"], os.environ["HTTP_PATH"], os.environ["HTTP_BODY"])\n';
    await hearth.register({ event_type: 'cron|TZ=Europe/Berlin * * * * * *', function_name: 'script', function_code: script });
    const firings = await until(async () => {
      const found = await firingsOf(hearth, 'tick');
      return found.filter(done).length >= 4 && found;
    });
    const instants = firings.map(({ scheduled_at }) => scheduled_at);
    expect(instants).toEqual(instants.map((_, index) => (instants[0] as number) + index * 1000));
    const record = (await hearth.get(`/invocations/${firings[0]?.id}`)) as Record<string, unknown>;
    expect(record).toMatchObject({ trigger: 'schedule', verb: 'POST', path: '/schedules/tick', state: 'succeeded' });
    expect(JSON.parse(String(record.logs))).toEqual({
      schedule: 'tick',
      scheduled_at: new Date(instants[0] as number).toISOString(),
      kind: 'scheduled',
    });
    const printed = await until(async () => {
      const first = (await firingsOf(hearth, 'script')).find(done);
      return first && ((await hearth.get(`/invocations/${first.id}`)) as { logs: string | null }).logs;
    });
    expect(printed).toMatch(/^POST \/schedules\/script \{"body": ?\{"schedule": ?"script"/);
    // No HTTP request gets there.
    expect((await hearth.call('/schedules/tick', { method: 'POST' })).status).toBe(404);
  });

  test('say of a wrong expression which field is wrong, and take `schedule` of no others', async () => {
    await using hearth = await Hearth.start();
    const attempt = async (event_type: string, schedule?: object) =>
      json(await hearth.post('/functions', { event_type, function_name: 'f', function_code: 'x = 1', ...(schedule && { schedule }) }));
    expect(await attempt('cron|0 25 * * *')).toMatchObject({ status: 422, detail: expect.stringContaining('the field hour') });
    expect(await attempt('cron|TZ=Mars/Olympus 0 2 * * *')).toMatchObject({
      status: 422,
      detail: expect.stringContaining('time zone "Mars/Olympus"'),
    });
    expect(await attempt('cron|0 0 30 2 *')).toMatchObject({ status: 422, detail: expect.stringContaining('no day') });
    expect(await attempt('http|GET|/f', {})).toMatchObject({ status: 422, errors: [{ field: 'schedule' }] });
    expect(await attempt('cron|@daily', { on_recovery: { function: 'f' } })).toMatchObject({
      status: 422,
      errors: [{ field: 'schedule.on_recovery' }],
    });
    expect(await attempt('cron|@daily', { missed: 'never' })).toMatchObject({ status: 422, errors: [{ field: 'schedule.missed' }] });
  });

  test('tell another function of failures in a row, once, and of the recovery', async () => {
    await using hearth = await Hearth.start();
    await hearth.define('alarm', TELL);
    const definition = (code: string) => ({
      event_type: 'cron|* * * * * *',
      function_name: 'job',
      function_code: code,
      retry: { attempts: 1 },
      schedule: { on_failure: { after: 2, function: 'alarm' }, on_recovery: { function: 'alarm' } },
    });
    await hearth.register(definition('def handler(m, c):\n    raise ValueError("boom")\n'));
    const told = async () => {
      const { invocations } = (await hearth.get('/invocations?function=alarm')) as { invocations: { id: string; state: string }[] };
      const ended = invocations.filter(({ state }) => state === 'succeeded').reverse();
      return Promise.all(ended.map(async ({ id }) => JSON.parse(((await hearth.get(`/invocations/${id}`)) as { logs: string }).logs)));
    };
    await until(async () => (await firingsOf(hearth, 'job')).filter(({ state }) => state === 'failed').length >= 4);
    expect(await until(async () => (await told()).length > 0 && told())).toMatchObject([
      { event: 'on_failure', schedule: 'job', failures: 2, state: 'failed', reason: expect.stringContaining('boom') },
    ]);
    expect(await hearth.get('/schedules/job')).toMatchObject({ failing: true, last_outcome: { state: 'failed' } });
    await hearth.register(definition('def handler(m, c):\n    return {}\n'));
    await until(async () => (await told()).length >= 2);
    await until(async () => (await firingsOf(hearth, 'job')).filter(({ state }) => state === 'succeeded').length >= 2);
    expect((await told()).map(({ event }) => event)).toEqual(['on_failure', 'on_recovery']);
    expect(await hearth.get('/schedules/job')).toMatchObject({ failing: false, failures_in_a_row: 0 });
  });

  test('leave instants out while one runs, or cancel it', async () => {
    await using hearth = await Hearth.start();
    const slow = 'import time\ndef handler(m, c):\n    time.sleep(2.5)\n    return {}\n';
    await hearth.register({ event_type: 'cron|* * * * * *', function_name: 'forbid', function_code: slow });
    await hearth.register({ event_type: 'cron|* * * * * *', function_name: 'replace', function_code: slow, schedule: { overlap: 'replace' } });
    const forbid = await until(async () => {
      const found = await firingsOf(hearth, 'forbid');
      return found.filter(done).length >= 1 && found;
    });
    expect(forbid.slice(0, 3)).toMatchObject([
      { state: 'succeeded' },
      { state: 'skipped', reason: 'overlap' },
      { state: 'skipped', reason: 'overlap' },
    ]);
    const replace = await until(async () => {
      const found = await firingsOf(hearth, 'replace');
      return found.length >= 3 && found[0]?.state === 'cancelled' && found;
    });
    expect(await hearth.get(`/invocations/${replace[0]?.id}`)).toMatchObject({ state: 'cancelled' });
  });

  test('are neither lost nor run twice when the platform is killed, and what was missed is made up for', async () => {
    const dataFolder = await mkdtemp(join(tmpdir(), 'hearth-data-'));
    const lines = join(await mkdtemp(join(tmpdir(), 'hearth-lines-')), 'lines');
    try {
      const settings = { HEARTH_QUEUE_LEASE_MARGIN_MS: '1000', HEARTH_SANDBOX_DRIVER: 'process', HEARTH_NETWORK: 'host' };
      const code = `def handler(m, c):\n    with open(${JSON.stringify(lines)}, "a") as file:\n        file.write(m["body"]["scheduled_at"] + "\\n")\n    return {}\n`;
      let before = 0;
      {
        await using hearth = await Hearth.start({ dataFolder, settings });
        await hearth.register({
          event_type: 'cron|* * * * * *',
          function_name: 'job',
          function_code: code,
          timeout_ms: 1000,
          schedule: { overlap: 'allow', missed: 'all' },
        });
        await until(async () => (await firingsOf(hearth, 'job')).filter(done).length >= 2);
        before = (await firingsOf(hearth, 'job')).length;
        await hearth.stop('SIGKILL');
      }
      await using hearth = await Hearth.start({ dataFolder, settings });
      const firings = await until(async () => {
        const found = await firingsOf(hearth, 'job');
        return found.length >= before + 4 && found.slice(0, before + 3).every(done) && found;
      });
      const instants = firings.map(({ scheduled_at }) => scheduled_at);
      expect(instants).toEqual(instants.map((_, index) => (instants[0] as number) + index * 1000));
      const ran = (await readFile(lines, 'utf8'))
        .trim()
        .split('\n')
        .map((line) => Date.parse(line));
      for (const { scheduled_at, state } of firings) if (state === 'succeeded') expect(ran).toContain(scheduled_at);
      // A run that was under way at the kill may come again, as every asynchronous invocation may; nothing else does.
      expect(ran.length - new Set(ran).size).toBeLessThanOrEqual(1);
    } finally {
      await rm(dataFolder, { recursive: true, force: true });
      await rm(join(lines, '..'), { recursive: true, force: true });
    }
  });

  test('are listed, shown, paused, run and resumed by the command', async () => {
    await using hearth = await Hearth.start();
    await hearth.register({ event_type: 'cron|TZ=Europe/Berlin 0 9 * * MON', function_name: 'weekly', function_code: TELL });
    const command = (...args: string[]) => hearthCommand(['schedules', ...args, '--api', hearth.api]);
    expect((await command()).stdout).toMatch(
      /^FUNCTION +WHEN +NEXT +LAST +OUTCOME +FAILURES\nweekly +TZ=Europe\/Berlin 0 9 \* \* MON +\S+ +never +- +0\n$/,
    );
    expect((await command('pause', 'weekly')).stdout).toContain('is paused');
    expect((await command('list')).stdout).toMatch(/MON +paused/);
    const id = (await command('run', 'weekly')).stdout.trim();
    await until(async () => ((await hearth.get(`/invocations/${id}`)) as { state: string }).state === 'succeeded');
    expect((await command('show', 'weekly')).stdout).toMatch(new RegExp(`manual +succeeded +${id}`));
    expect((await command('resume', 'weekly')).stdout).toMatch(/goes on; next at \d{4}-/);
    const missing = await command('show', 'nothing');
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('There is no schedule "nothing"');
  });
});
