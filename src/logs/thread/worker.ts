import { parentPort, workerData } from 'node:worker_threads';
import { LogService } from './log-service.ts';
import type { FromLogThread, LogThreadData, ToLogThread } from './messages.ts';

/** The thread that makes lines of what functions print, keeps them, and looks for them, so that the event loop has no part in it. */

if (parentPort === null) throw new Error('worker.ts is run as a worker by log-thread.ts');
const port = parentPort;
const service = new LogService(workerData as LogThreadData, Date.now);
const followers = new Map<number, AbortController>();

function send(message: FromLogThread, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

function answer(id: number, value: Promise<unknown>): void {
  void value.then(
    (found) => send({ kind: 'answer', id, value: found ?? null }),
    (error: Error) => send({ kind: 'failure', id, message: error.message }),
  );
}

async function write(buffer: ArrayBuffer, length: number): Promise<void> {
  send({ kind: 'written', ...(await service.write(Buffer.from(buffer), length)), buffer }, [buffer]);
}

port.on('message', (message: ToLogThread) => {
  switch (message.kind) {
    case 'records':
      void write(message.buffer, message.length);
      break;
    case 'search':
      answer(message.id, service.search(message.request));
      break;
    case 'follow': {
      const controller = new AbortController();
      followers.set(message.id, controller);
      const { waitMs, ...request } = message.request;
      answer(
        message.id,
        service.follow(request, waitMs, controller.signal).finally(() => followers.delete(message.id)),
      );
      break;
    }
    case 'cancel':
      followers.get(message.id)?.abort();
      break;
    case 'prune':
      answer(message.id, service.prune());
      break;
    case 'close':
      for (const controller of followers.values()) controller.abort();
      answer(message.id, service.close());
      break;
  }
});
