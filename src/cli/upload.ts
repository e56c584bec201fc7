import { type Progress, size } from './progress.ts';

const CHUNK_BYTES = 64 * 1024;

/** Bytes as a stream that tells how far it has been read, which is how much has been sent but for what lies in buffers. */
export function counted(data: Uint8Array<ArrayBuffer>, what: string, progress: Progress): ReadableStream<Uint8Array<ArrayBuffer>> {
  let sent = 0;
  return new ReadableStream(
    {
      pull(controller) {
        const chunk = data.subarray(sent, sent + CHUNK_BYTES);
        sent += chunk.length;
        progress.say(`${what}: ${size(sent)} of ${size(data.length)}, ${data.length === 0 ? 100 : Math.floor((sent * 100) / data.length)} %`);
        if (chunk.length > 0) controller.enqueue(chunk);
        if (sent >= data.length) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
