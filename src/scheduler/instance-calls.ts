import { HearthError } from '../errors.ts';
import type { CallMessage } from '../protocol/messages.ts';
import type { RuntimeChannel } from '../protocol/runtime-channel.ts';
import type { Chains } from './chains.ts';
import type { Invocation } from './invocation.ts';

export interface InstanceCallParts {
  chains: Chains;
  channel(): RuntimeChannel;
  /** The invocation of that frame id while it runs. */
  running(frameId: number): Invocation | undefined;
  /** Largest body of a call, and of all whose bodies have not come in whole. Bytes. */
  maxBodyBytes: number;
  /** Answers that the runtime has not read, at most. Bytes. */
  maxUnreadBytes: number;
}

/** Calls of one instance at a time. */
const MAX_CALLS = 256;

interface Call {
  caller: Invocation;
  message: CallMessage;
  chunks: Buffer[];
  missing: number;
  cancel: (() => void) | null;
}

/** The invocations of other functions that what runs in one instance waits for. They end with the invocation that made them. */
export class InstanceCalls {
  readonly #parts: InstanceCallParts;
  readonly #calls = new Map<number, Call>();
  /** Bytes of bodies that are coming in. */
  #gathering = 0;

  constructor(parts: InstanceCallParts) {
    this.#parts = parts;
  }

  onCall(id: number, message: CallMessage): void {
    const caller = this.#parts.running(message.invocation);
    const refusal = caller ? this.#refusal(message) : new HearthError('cancelled', 'The invocation that made this call is over.');
    if (refusal || !caller) {
      this.#fail(id, refusal as HearthError);
      return;
    }
    const call: Call = { caller, message, chunks: [], missing: message.bodyLength, cancel: null };
    this.#calls.set(id, call);
    this.#gathering += message.bodyLength;
    if (call.missing === 0) this.#begin(id, call);
  }

  /** Of one that was refused or is over already: dropped. */
  onCallBody(id: number, chunk: Buffer): void {
    const call = this.#calls.get(id);
    if (!call || call.missing === 0) return;
    if (chunk.length > call.missing) {
      this.#forget(id, call);
      this.#fail(id, new HearthError('invalid_request', 'More of the body came than was announced.'));
      return;
    }
    // The chunk is a view of memory that is used again.
    call.chunks.push(Buffer.from(chunk));
    call.missing -= chunk.length;
    if (call.missing === 0) this.#begin(id, call);
  }

  /** The invocation is over: whatever it has called is ended, and a thread of it that still waits is told. */
  endOf(caller: Invocation): void {
    for (const [id, call] of this.#calls) {
      if (call.caller !== caller) continue;
      this.#forget(id, call);
      call.cancel?.();
      this.#fail(id, new HearthError('cancelled', 'The invocation that made this call is over.'));
    }
  }

  /** The instance has stopped. */
  close(): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.cancel?.();
  }

  #refusal({ bodyLength }: CallMessage): HearthError | undefined {
    const { maxBodyBytes } = this.#parts;
    if (bodyLength > maxBodyBytes) return new HearthError('body_too_large', `The payload is larger than ${maxBodyBytes} bytes, which is the bound.`);
    if (this.#calls.size < MAX_CALLS && this.#gathering + bodyLength <= maxBodyBytes) return undefined;
    const extra = { reason: 'too_many_calls' };
    return new HearthError('queue_full', `The instance has ${this.#calls.size} calls of other functions under way, as many as it may.`, { extra });
  }

  #begin(id: number, call: Call): void {
    const { caller, message, chunks } = call;
    this.#gathering -= message.bodyLength;
    const body = message.bodyLength === 0 ? null : Buffer.concat(chunks);
    call.chunks = [];
    const { function: functionName, mode, timeoutMs, contentType } = message;
    const cancel = this.#parts.chains.invoke(
      { caller, functionName, mode, timeoutMs, contentType, body },
      {
        answer: (answer) => {
          if (!this.#calls.delete(id)) return;
          const channel = this.#parts.channel();
          if (channel.unreadBytes > this.#parts.maxUnreadBytes) {
            this.#fail(
              id,
              new HearthError('queue_full', 'Answers to earlier calls lie unread; this one is dropped.', { extra: { reason: 'too_many_calls' } }),
            );
            return;
          }
          channel.callReply(id, { id: answer.id, status: answer.status, headers: answer.headers }, answer.body);
        },
        fail: (error) => {
          if (this.#calls.delete(id)) this.#fail(id, error);
        },
      },
    );
    if (this.#calls.has(id)) call.cancel = cancel;
  }

  #forget(id: number, call: Call): void {
    this.#calls.delete(id);
    if (call.missing > 0) this.#gathering -= call.message.bodyLength;
  }

  #fail(id: number, { code, status, message }: HearthError): void {
    this.#parts.channel().callFailed(id, { code, status, message: message.slice(0, 4096) });
  }
}
