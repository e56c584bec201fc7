import { createHmac } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Changes } from '../../../src/queue/changes.ts';
import { deliverToFunction } from '../../../src/queue/deliver/deliver-to-function.ts';
import { Deliveries, type DeliveryParts } from '../../../src/queue/deliver/deliveries.ts';
import type { WebhookMessage } from '../../../src/queue/deliver/post-webhook.ts';
import { signWebhook } from '../../../src/queue/deliver/sign-webhook.ts';
import { DurableInvocations } from '../../../src/queue/durable-invocations.ts';
import type { DeliveryStatus, DurableQueue, NewInvocation } from '../../../src/queue/durable-queue.ts';
import { QUEUE_MIGRATIONS } from '../../../src/queue/sqlite/queue-schema.ts';
import type { FunctionVersion } from '../../../src/schemas/function.ts';
import { versionDraft } from '../store/records.ts';
import { died, LANE, newInvocation, QueueFolder, succeeded, takeOne } from './test-queue.ts';

const NEXT: FunctionVersion = { ...versionDraft({ functionName: 'next', destinations: null, asyncMode: 'allowed' }), number: 4, createdAt: 1 };
const TO_NEXT: NonNullable<NewInvocation['destinations']> = {
  onSuccess: { kind: 'function', name: 'next' },
  onFailure: { kind: 'url', url: 'http://a.example/', secret: null },
  callbackSecret: null,
};

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('deliveries of a queue', () => {
  let folder: QueueFolder;
  let queue: DurableQueue;
  let open: Deliveries[] = [];

  beforeEach(async () => {
    folder = await QueueFolder.make();
    ({ queue } = await folder.open());
  });
  afterEach(async () => {
    for (const deliveries of open) await deliveries.close();
    open = [];
    await folder[Symbol.asyncDispose]();
  });

  function start(members: Partial<DeliveryParts> = {}): Deliveries {
    const invocations = new DurableInvocations({
      queue,
      changes: new Changes(),
      offer: () => undefined,
      cut: () => undefined,
      onDeliveryDue: () => undefined,
      checkCallback: () => undefined,
      keepKeysMs: 60_000,
    });
    const deliveries = new Deliveries({
      queue,
      describe: (detail) => ({ id: detail.id }),
      revealSecret: () => undefined,
      post: () => Promise.reject(new Error('nobody is there')),
      toFunction: (name, delivery, source, body) =>
        deliverToFunction(
          { choose: (wanted) => (wanted === 'next' ? NEXT : undefined), accept: (request) => invocations.accept(request) },
          name,
          delivery,
          source,
          body,
        ),
      random: () => 0,
      log: { warn: () => undefined },
      ...members,
    });
    open.push(deliveries);
    deliveries.poke();
    return deliveries;
  }
  const run = async (verdict = succeeded(), members: Partial<NewInvocation> = {}): Promise<string> => {
    const { id } = await queue.accept(newInvocation({ destinations: TO_NEXT, ...members }));
    const taken = await takeOne(queue);
    expect(taken.hasDeliveries).toBe(true);
    await queue.settle(taken.lease, verdict);
    return id;
  };
  const settled = async (id: string): Promise<DeliveryStatus[]> => {
    const read = async () => (await queue.get(id))?.deliveries ?? [];
    await until(async () => (await read()).every(({ state }) => state !== 'pending'));
    return read();
  };

  it('are there as soon as the outcome is, and still after a crash', async () => {
    const id = await run();
    const waiting = [{ kind: 'on_success', target: TO_NEXT.onSuccess, state: 'pending', attempts: 0 }];
    expect((await queue.get(id))?.deliveries).toMatchObject(waiting);
    await queue.close();
    ({ queue } = await folder.open());
    expect((await queue.get(id))?.deliveries).toMatchObject(waiting);
    start();
    expect(await settled(id)).toMatchObject([{ state: 'delivered', attempts: 1, dueAt: null }]);
  });

  it('to a function are accepted once, even if the platform ends before that is written down', async () => {
    const id = await run();
    let deaths = 0;
    start({
      at: (point) => {
        if (point === 'after-delivery' && deaths++ < 3) throw new Error('the platform ends');
      },
    });
    expect(await settled(id)).toMatchObject([{ state: 'delivered', attempts: 4 }]);
    const accepted = await queue.list({ functionName: 'next', limit: 10 });
    expect(accepted).toMatchObject([{ versionNumber: 4, trigger: 'function', state: 'queued' }]);
    expect(await queue.input(accepted[0]?.id as string)).toMatchObject({ depth: 1 });
  });

  it('to a URL carry the trace that the invocation belongs to', async () => {
    const sent: WebhookMessage[] = [];
    const payload = { ...newInvocation().payload, headers: ['Accept', '*/*', 'Traceparent', '00-1', 'tracestate', 'a=1'] };
    const id = await run(succeeded(), { destinations: null, callbackUrl: 'http://127.0.0.1/told', payload });
    start({ post: async (message) => void sent.push(message) });
    await settled(id);
    expect(sent[0]?.headers).toEqual({ 'X-Correlation-Id': id, 'X-Hearth-Attempt': '1', traceparent: '00-1', tracestate: 'a=1' });
  });

  it('are given up after eight tries, with the last reason', async () => {
    const id = await run(died());
    start();
    expect(await settled(id)).toMatchObject([{ kind: 'on_failure', state: 'failed', attempts: 8, error: 'nobody is there' }]);
  });

  it('of a dead letter that is redriven are those of its new outcome', async () => {
    const id = await run(died());
    const first = start();
    await settled(id);
    await first.close();
    await queue.redrive(id);
    expect((await queue.get(id))?.deliveries).toEqual([]);
    const { due: none } = await queue.dueDeliveries(10);
    expect(none).toEqual([]);
    const taken = await takeOne(queue);
    await queue.settle(taken.lease, succeeded());
    const { due } = await queue.dueDeliveries(10);
    expect(due).toMatchObject([{ id, kind: 'on_success', round: 2, attempts: 0 }]);
    // The old outcome's delivery, which was under way meanwhile.
    await queue.settleDelivery({ id, kind: 'on_success', round: 1 }, { kind: 'delivered' });
    expect((await queue.get(id))?.deliveries).toMatchObject([{ state: 'pending' }]);
  });

  it('end with the eighth function of a chain', async () => {
    const id = await run(succeeded(), { payload: { ...newInvocation().payload, depth: 8 } });
    start();
    expect(await settled(id)).toMatchObject([{ state: 'failed', attempts: 1, error: expect.stringContaining('8 functions') }]);
    expect(await queue.list({ functionName: 'next', limit: 10 })).toEqual([]);
  });

  it('go with the invocation when it is deleted', async () => {
    const id = await run(died());
    expect(await queue.discard(id)).toBe(true);
    expect(await queue.dueDeliveries(10)).toEqual({ due: [], nextDueAt: null });
    await queue.accept(newInvocation({ destinations: TO_NEXT, mode: 'sync' }));
    const { taken } = await queue.take(LANE, 1, 1000);
    await queue.settle(taken[0]?.lease as never, succeeded());
    expect(await queue.dueDeliveries(10)).toEqual({ due: [], nextDueAt: null });
  });
});

describe('a queue of the first schema', () => {
  it('keeps its callbacks as deliveries', () => {
    const db = new DatabaseSync(':memory:');
    const [first, second] = QUEUE_MIGRATIONS;
    db.exec(first?.sql as string);
    const insert = db.prepare(
      'INSERT INTO jobs (id, function_name, version_number, mode, trigger_kind, state, verb, path, priority, accepted_at, age_from, due_at, attempt, callback_url, callback_state, ' +
        "callback_due, callback_attempts) VALUES (?, 'echo', 1, 'async', 'api', ?, 'POST', '/', 5, 1, 1, 1, ?, ?, ?, ?, ?)",
    );
    insert.run('due', 'succeeded', 2, 'http://a.example/?a="b"', 'pending', 77, 3);
    insert.run('told', 'failed', 1, 'http://b.example/', 'delivered', null, 1);
    insert.run('queued', 'queued', 0, 'http://c.example/', null, null, 0);
    insert.run('plain', 'succeeded', 1, null, null, null, 0);
    db.exec(second?.sql as string);
    const rows = db
      .prepare('SELECT id, kind, round, target, d.state, d.due_at, attempts FROM deliveries d JOIN jobs j ON j.seq = d.seq ORDER BY d.seq')
      .all();
    expect(rows.map((row) => ({ ...row, target: JSON.parse(row.target as string) as unknown }))).toEqual([
      {
        id: 'due',
        kind: 'callback',
        round: 2,
        target: { kind: 'url', url: 'http://a.example/?a="b"', secret: null },
        state: 'pending',
        due_at: 77,
        attempts: 3,
      },
      {
        id: 'told',
        kind: 'callback',
        round: 1,
        target: { kind: 'url', url: 'http://b.example/', secret: null },
        state: 'delivered',
        due_at: null,
        attempts: 1,
      },
    ]);
    db.close();
  });
});

describe('the signature of a webhook', () => {
  // The example of those who wrote the specification, and what OpenSSL makes of it: openssl dgst -sha256 -mac HMAC -macopt hexkey:… -binary | base64
  const body = Buffer.from('{"test": 2432232314}');
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

  it('is that of the published example', () => {
    expect(signWebhook(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, body)).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  it('takes any other text as the key itself, and refuses what is no base64', () => {
    const expected = createHmac('sha256', 'plain').update(`id.1.${body}`).digest('base64');
    expect(signWebhook('plain', 'id', 1, body)).toBe(`v1,${expected}`);
    expect(() => signWebhook('whsec_$', 'id', 1, body)).toThrow('no base64');
  });
});
