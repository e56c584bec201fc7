import { expect, it } from 'vitest';
import { ProtocolError, STREAM_WINDOW_BYTES as WINDOW } from '../../../src/protocol/frame.ts';
import { BodyFeed } from '../../../src/scheduler/body-feed.ts';
import { ReplyWindow } from '../../../src/scheduler/reply-window.ts';

/** A feed with what it sends to the runtime and asks of its source. */
function feed() {
  const said: string[] = [];
  let sent = 0;
  const channel = {
    invokeBody: (_id: number, chunk: Uint8Array) => {
      sent += chunk.length;
    },
    invokeEnd: () => {
      said.push('end');
    },
  };
  const source = {
    open: () => said.push('open'),
    pause: () => said.push('pause'),
    resume: () => said.push('resume'),
    close: () => said.push('close'),
  };
  const one = new BodyFeed(channel, 1, source, () => undefined);
  one.open();
  return { one, said, sent: () => sent };
}

it('never has more of a body on the way than the window, and pauses its source meanwhile', () => {
  const { one, said, sent } = feed();
  one.data(Buffer.alloc(WINDOW - 1));
  one.data(Buffer.alloc(10));
  expect([sent(), said]).toEqual([WINDOW, ['open', 'pause']]);
  one.end();
  one.credit(5);
  expect([sent(), said]).toEqual([WINDOW + 5, ['open', 'pause']]);
  one.credit(WINDOW);
  expect([sent(), said]).toEqual([WINDOW + 9, ['open', 'pause', 'end']]);
});

it('takes no credit for what was not sent, and ends once', () => {
  const { one, said } = feed();
  one.data(Buffer.alloc(10));
  expect(() => one.credit(11)).toThrow(ProtocolError);
  one.cutOff();
  one.cutOff();
  one.end();
  one.data(Buffer.alloc(10));
  expect(said).toEqual(['open', 'end', 'close']);
});

it('lets a function send a window to a caller who does not read, and credits what was read', () => {
  const credited: number[] = [];
  const drained: (() => void)[] = [];
  const channel = { replyCredit: (_id: number, bytes: number) => credited.push(bytes) };
  const sink = { write: () => false, onceDrained: (callback: () => void) => drained.push(callback) };
  const window = new ReplyWindow(channel as never, 1, sink);
  window.pass(Buffer.alloc(WINDOW - 1));
  window.pass(Buffer.alloc(1));
  expect([credited, drained.length]).toEqual([[], 1]);
  expect(() => window.pass(Buffer.alloc(1))).toThrow(ProtocolError);
  drained[0]?.();
  expect(credited).toEqual([WINDOW + 1]);
});
