import { readFile } from 'node:fs/promises';
import type { FunctionDefinition } from '../../src/schemas/function.ts';
import { PROGRAMS } from '../lib/folders.ts';
import type { Caller } from './caller.ts';

/** A well-behaved function: whoever else is on the platform, each call of it is answered, and rightly. */
export interface Neighbour {
  name: string;
  definition: FunctionDefinition;
  /** Calls it once, with that number. @throws Error when the answer is missing, refused or another one */
  call(caller: Caller, gateway: string, n: number): Promise<void>;
}

const HANDLER = `
served = 0
def handler(message, context):
    global served
    served += 1
    return {"n": message["body"]["n"], "squared": message["body"]["n"] ** 2}
`;
const STREAM = `
def handler(message, context):
    n = int(message["query"]["n"])
    return ("%d,%d;" % (n, piece) for piece in range(50))
`;

export async function neighbours(): Promise<Neighbour[]> {
  return [
    {
      name: 'good handler',
      definition: { event_type: 'http|POST|/good/handler', function_name: 'good-handler', function_code: HANDLER },
      call: (caller, gateway, n) => expectBody(caller, `${gateway}/good/handler`, JSON.stringify({ n }), JSON.stringify({ n, squared: n * n })),
    },
    {
      name: 'good stream',
      definition: { event_type: 'http|*|/good/stream', function_name: 'good-stream', function_code: STREAM },
      call: (caller, gateway, n) =>
        expectBody(caller, `${gateway}/good/stream?n=${n}`, undefined, Array.from({ length: 50 }, (_, piece) => `${n},${piece};`).join('')),
    },
    {
      name: 'good pika script',
      definition: { event_type: 'http|POST|/good/script', function_name: 'good-script', function_code: await readFile(`${PROGRAMS}echo.py`, 'utf8') },
      call: (caller, gateway, n) => expectBody(caller, `${gateway}/good/script`, JSON.stringify({ n }), JSON.stringify({ body: { n } })),
    },
  ];
}

/** JSON is compared by what it means. */
async function expectBody(caller: Caller, url: string, body: string | undefined, expected: string): Promise<void> {
  const answer = await caller.ask(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, ...(body === undefined ? {} : { body }) });
  const same =
    answer.body === expected || (expected.startsWith('{') && answer.body.startsWith('{') && canonical(answer.body) === canonical(expected));
  if (answer.status !== 200 || !answer.whole || !same) {
    throw new Error(`${answer.status} ${answer.whole ? '' : '(broken off) '}${answer.body.slice(0, 800)} in place of 200 ${expected.slice(0, 100)}`);
  }
}

const canonical = (text: string): string => JSON.stringify(JSON.parse(text));
