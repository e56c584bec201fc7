import { describe, expect, it } from 'vitest';
import type { CallFailedMessage, CallMessage } from '../../../src/protocol/messages.ts';
import type { RuntimeChannel } from '../../../src/protocol/runtime-channel.ts';
import type { ChainRequest, ChainSink } from '../../../src/scheduler/chains.ts';
import { InstanceCalls } from '../../../src/scheduler/instance-calls.ts';
import type { Invocation } from '../../../src/scheduler/invocation.ts';

/** The calls of an instance whose invocations 1 and 2 run, and what has become of them. */
function setUp() {
  const callers = new Map([1, 2].map((id) => [id, { id } as unknown as Invocation]));
  const begun: { request: ChainRequest; sink: ChainSink; cancelled: boolean }[] = [];
  const told: [id: number, what: string][] = [];
  const channel = {
    unreadBytes: 0,
    callReply: (id: number, { status }: { status: number }, body: Buffer) => told.push([id, `${status} ${body}`]),
    callFailed: (id: number, { code }: CallFailedMessage) => told.push([id, code]),
  };
  const calls = new InstanceCalls({
    chains: {
      invoke(request, sink) {
        const one = { request, sink, cancelled: false };
        begun.push(one);
        return () => {
          one.cancelled = true;
        };
      },
    },
    channel: () => channel as unknown as RuntimeChannel,
    running: (id) => callers.get(id),
    maxBodyBytes: 100,
    maxUnreadBytes: 1000,
  });
  const call = (id: number, members: Partial<CallMessage> = {}) =>
    calls.onCall(id, { invocation: 1, function: 'f', mode: 'sync', timeoutMs: null, contentType: null, bodyLength: 0, ...members });
  return { calls, call, callers, begun, told, channel };
}
const answer = (body = 'x') => ({ id: 'i', status: 200, headers: [], body: Buffer.from(body) });

describe('the calls of an instance', () => {
  it('begin once their body is whole, and are answered once', () => {
    const { calls, call, begun, told } = setUp();
    call(1, { bodyLength: 4 });
    calls.onCallBody(1, Buffer.from('ab'));
    expect(begun).toEqual([]);
    calls.onCallBody(1, Buffer.from('cd'));
    expect(begun[0]?.request).toMatchObject({ functionName: 'f', body: Buffer.from('abcd') });
    begun[0]?.sink.answer(answer());
    begun[0]?.sink.fail(new Error() as never);
    begun[0]?.sink.answer(answer());
    expect(told).toEqual([[1, '200 x']]);
  });

  it('are refused with a body that is larger than allowed, announced or not', () => {
    const { calls, call, begun, told } = setUp();
    call(1, { bodyLength: 101 });
    calls.onCallBody(1, Buffer.alloc(101));
    call(2, { bodyLength: 1 });
    calls.onCallBody(2, Buffer.alloc(2));
    expect(told).toEqual([
      [1, 'body_too_large'],
      [2, 'invalid_request'],
    ]);
    expect(begun).toEqual([]);
  });

  it('have bodies under way that together are no larger than one may be', () => {
    const { calls, call, told } = setUp();
    call(1, { bodyLength: 60 });
    call(2, { bodyLength: 60 });
    expect(told).toEqual([[2, 'queue_full']]);
    calls.onCallBody(1, Buffer.alloc(60));
    call(3, { bodyLength: 60 });
    expect(told).toHaveLength(1);
  });

  it('are 256 at a time', () => {
    const { call, begun, told } = setUp();
    for (let id = 1; id <= 257; id++) call(id);
    expect(told).toEqual([[257, 'queue_full']]);
    begun[0]?.sink.answer(answer());
    call(258);
    expect(begun).toHaveLength(257);
  });

  it('are made for invocations that run only', () => {
    const { call, begun, told } = setUp();
    call(1, { invocation: 3 });
    expect(told).toEqual([[1, 'cancelled']]);
    expect(begun).toEqual([]);
  });

  it('end with the invocation that made them, and those of others go on', () => {
    const { calls, call, callers, begun, told } = setUp();
    call(1);
    call(2, { invocation: 2 });
    call(3, { bodyLength: 100 });
    calls.endOf(callers.get(1) as Invocation);
    expect(begun.map(({ cancelled }) => cancelled)).toEqual([true, false]);
    expect(told).toEqual([
      [1, 'cancelled'],
      [3, 'cancelled'],
    ]);
    begun[0]?.sink.answer(answer());
    begun[1]?.sink.answer(answer());
    expect(told.slice(2)).toEqual([[2, '200 x']]);
    call(4, { bodyLength: 100 });
    expect(told).toHaveLength(3);
    calls.close();
    expect(told).toHaveLength(3);
  });

  it('have their answers dropped while a runtime lets others lie unread', () => {
    const { call, begun, told, channel } = setUp();
    call(1);
    channel.unreadBytes = 1001;
    begun[0]?.sink.answer(answer());
    expect(told).toEqual([[1, 'queue_full']]);
  });
});
