import { expect, it } from 'vitest';
import { readEvents } from '../../../dashboard/src/api/events.ts';

async function eventsOf(...chunks: string[]) {
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      controller.close();
    },
  });
  const events = [];
  for await (const event of readEvents(body)) events.push(event);
  return events;
}

it('reads events with their types and ids, however they are cut', async () => {
  const text = 'id: 7\ndata: {"a":1}\n\n: still there\n\nevent: left_out\ndata: one\ndata: two\n\n';
  const events = [
    { type: 'message', data: '{"a":1}', id: '7' },
    { type: 'left_out', data: 'one\ntwo', id: '' },
  ];
  expect(await eventsOf(text)).toEqual(events);
  expect(await eventsOf(...text)).toEqual(events);
  expect(await eventsOf(text.replaceAll('\n', '\r\n'))).toEqual(events);
});

it('leaves out what was cut off at the end', async () => {
  expect(await eventsOf('data: whole\n\ndata: half\n')).toMatchObject([{ data: 'whole' }]);
});
