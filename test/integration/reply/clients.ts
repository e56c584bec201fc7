import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { amqplibCases } from './clients/amqplib-client.ts';

/** How a case ended, in the client's own words; `error` is null when nothing went wrong for it. */
export interface Outcome {
  error: string | null;
  /** The reply code, where the client tells it. */
  code: number | null;
  text?: string;
}

export type CaseName =
  | 'template'
  | 'properties'
  | 'large'
  | 'empty'
  | 'confirms'
  | 'unknown'
  | 'declare_unknown'
  | 'declare_passive'
  | 'too_large'
  | 'two_channels'
  | 'forced'
  | 'heartbeats'
  | 'many'
  | 'unknown_without_confirms'
  | 'other_exchange'
  | 'broker_calls'
  | 'transactions'
  | 'one_too_many'
  | 'declare_exchange';

export interface Client {
  name: string;
  /** What it calls the errors that the server tells it. */
  errors: { accessRefused: string; notFound: string; tooLarge: string; forced: string };
  cases: readonly CaseName[];
  /** @param onReady called when the case waits for the server to act */
  run(python: string, name: CaseName, port: number, correlationId: string, onReady: () => void): Promise<Outcome>;
}

const COMMON: readonly CaseName[] = [
  'template',
  'properties',
  'large',
  'confirms',
  'unknown',
  'declare_unknown',
  'declare_passive',
  'two_channels',
  'forced',
];

export const CLIENTS: readonly Client[] = [
  {
    name: 'pika BlockingConnection',
    errors: {
      accessRefused: 'ChannelClosedByBroker',
      notFound: 'ChannelClosedByBroker',
      tooLarge: 'ChannelClosedByBroker',
      forced: 'ConnectionClosedByBroker',
    },
    cases: [
      ...COMMON,
      'empty',
      'too_large',
      'many',
      'heartbeats',
      'unknown_without_confirms',
      'other_exchange',
      'broker_calls',
      'transactions',
      'one_too_many',
      'declare_exchange',
    ],
    run: pythonScript('pika_blocking.py'),
  },
  {
    name: 'pika SelectConnection',
    errors: {
      accessRefused: 'ChannelClosedByBroker',
      notFound: 'ChannelClosedByBroker',
      tooLarge: 'ChannelClosedByBroker',
      forced: 'ConnectionClosedByBroker',
    },
    cases: COMMON,
    run: pythonScript('pika_select.py'),
  },
  {
    name: 'py-amqp',
    errors: { accessRefused: 'AccessRefused', notFound: 'NotFound', tooLarge: 'ContentTooLarge', forced: 'ConnectionForced' },
    cases: [...COMMON, 'empty', 'too_large', 'many', 'heartbeats'],
    run: pythonScript('py_amqp.py'),
  },
  {
    name: 'kombu',
    errors: { accessRefused: 'AccessRefused', notFound: 'NotFound', tooLarge: 'ContentTooLarge', forced: 'ConnectionForced' },
    cases: [...COMMON, 'too_large', 'many'],
    run: pythonScript('kombu_client.py'),
  },
  {
    name: 'aio-pika',
    errors: { accessRefused: 'ChannelAccessRefused', notFound: 'ChannelNotFoundEntity', tooLarge: 'ChannelClosed', forced: 'ConnectionClosed' },
    cases: [...COMMON, 'empty', 'too_large', 'many'],
    run: pythonScript('aio_pika_client.py'),
  },
  {
    name: 'amqplib',
    errors: { accessRefused: 'Error', notFound: 'Error', tooLarge: 'Error', forced: 'Error' },
    cases: [...COMMON, 'empty', 'too_large', 'many', 'heartbeats'],
    run: async (_python, name, port, correlationId, onReady) => {
      const act = amqplibCases[name];
      if (act === undefined) throw new Error(`amqplib has no case ${name}`);
      return act(port, correlationId, onReady).then(
        () => ({ error: null, code: null }),
        (error: Error & { code?: number }) => ({ error: error.name, code: error.code ?? null, text: error.message }),
      );
    },
  },
];

function pythonScript(file: string): Client['run'] {
  return async (python, name, port, correlationId, onReady) => {
    const script = join(import.meta.dirname, 'clients', file);
    const child = spawn(python, ['-B', script, name, String(port), correlationId], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 45_000 });
    const complaints: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
    let last = '';
    for await (const line of createInterface(child.stdout)) {
      if (line === 'ready') onReady();
      else last = line;
    }
    if (last === '') throw new Error(`${file} ${name} told nothing: ${Buffer.concat(complaints).toString()}`);
    return JSON.parse(last) as Outcome;
  };
}
