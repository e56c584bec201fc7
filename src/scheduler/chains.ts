import type { HearthError } from '../errors.ts';
import type { Invocation } from './invocation.ts';

/** A function that runs invokes another one. */
export interface ChainRequest {
  caller: Invocation;
  functionName: string;
  mode: 'sync' | 'async';
  /** Milliseconds; null: as long as the caller and the other function have. */
  timeoutMs: number | null;
  contentType: string | null;
  body: Buffer | null;
}

export interface ChainAnswer {
  /** Of the invocation that was made. */
  id: string;
  /** 202 when it is to be run later. */
  status: number;
  /** Names and values in turn. */
  headers: readonly string[];
  body: Buffer;
}

/** Called once, with one or the other. */
export interface ChainSink {
  answer(answer: ChainAnswer): void;
  fail(error: HearthError): void;
}

/** Where invocations of one function by another go: an instance's only view of the other functions. */
export interface Chains {
  /** @returns what ends it, when nobody wants its answer any more */
  invoke(request: ChainRequest, sink: ChainSink): () => void;
}
