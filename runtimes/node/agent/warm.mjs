// While the sandbox is in stock: what the first call of a function would otherwise wait for.

import { Calls } from './calls.mjs';
import { errorObject } from './errors.mjs';
import { encodeJson, FRAME } from './frames.mjs';
import { Context, hideSecrets, makeMessage } from './request.mjs';
import { shape } from './result.mjs';
import { makeRequest } from './web.mjs';

const ROUNDS = 20;
const BODY_ROUNDS = 3;
const INVOKE = {
  correlationId: 'warm',
  instanceId: 'warm',
  verb: 'POST',
  path: '/',
  rawPath: '/?a=1',
  query: 'a=1',
  params: {},
  headers: ['Host', 'localhost', 'Content-Type', 'application/json'],
  bodyLength: 7,
  deadline: 0,
};

/** Leaves no trace. Its way is that of a call: what V8 compiles lazily, and what Node.js loads at the first use of Request and Response. */
export function warm() {
  const raw = Buffer.from('{"a":1}');
  const common = { functionName: 'warm', secrets: hideSecrets({}), calls: new Calls({ send() {} }, false) };
  for (let round = 0; round < ROUNDS; round++) {
    const abort = new AbortController();
    const context = new Context({ id: 1, abort }, INVOKE, common);
    const message = makeMessage(INVOKE, raw);
    const { status, headers, body } = shape({ statusCode: 200, headers: { a: 'b' }, body: { message, left: context.remaining_ms() } });
    encodeJson(FRAME.replyHead, 1, { status, headers, streaming: false, length: body.length });
    shape(makeRequest(INVOKE, raw, abort.signal).url);
    shape(new Response('warm'));
  }
  errorObject(new Error('warm'));
  // The loader of ES modules reads and compiles its own parts at its first use.
  void import('data:text/javascript,export default 1');
  void warmBodies();
}

/** Bodies of the Web standard are read in later turns. Load may come in between: nothing of this is in its way. */
async function warmBodies() {
  for (let round = 0; round < BODY_ROUNDS; round++) {
    await makeRequest(INVOKE, Buffer.from('{"a":1}'), new AbortController().signal).json();
    for await (const _ of shape(Response.json({ a: 1 })).stream);
  }
}
