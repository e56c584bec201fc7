/** A developer's own tests of handlers: run, and checked by the compiler. */
export const HANDLERS = `
import { createRequire } from 'node:module';
import { type Handler, invoke, InvokeError, logger, type Response, type StreamHandler, traceHeaders, type WebHandler, WebSocketClosed, type WebSocketHandler } from '@hearth/sdk';
import { call, connect, HandshakeRefused } from '@hearth/sdk/testing';

const show = (...values: unknown[]): void => console.log(JSON.stringify(values));

const handler: Handler<{ name: string }, Response> = async (message, context) => {
  context.logger.info('asked for %s by %s', message.path, message.query.who);
  logger.debug('not shown');
  logger.warn({ of: 'the module' });
  const text: string = await invoke('greeting', message.body, { timeoutMs: 1000 });
  const id: string = await context.invoke('notify', null, { mode: 'async' });
  return { statusCode: 201, headers: { 'X-Id': id.length, 'X-Key': context.secrets.KEY }, body: { text, traces: traceHeaders() } };
};
const answer = await call(handler, {
  body: { name: 'Ada' },
  path: '/hello',
  query: { who: 'Bob' },
  headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
  secrets: { KEY: 'k' },
  invokes: { greeting: async ({ name }: { name: string }) => 'Hello ' + name, notify: () => null },
});
show('handler', answer.status, answer.headers.flat(), answer.json());
show('invoked', ...answer.invoked);

const web: WebHandler = (request) => new globalThis.Response(request.method + ' ' + request.url, { status: 202 });
const fetched = await call({ fetch: web }, { verb: 'get', path: '/a b', query: 'q=1' });
show('web', fetched.status, fetched.text, fetched.streamed);

const streamed = await call(async function* () {
  yield 'a';
  yield new TextEncoder().encode('é');
});
show('stream', streamed.status, streamed.pieces.map(String), streamed.header('content-type'), streamed.streamed);

const webStream = await call((request: Request) => new globalThis.Response(request.body?.pipeThrough(new TransformStream({
  transform(chunk: Uint8Array, controller) {
    for (const word of new TextDecoder().decode(chunk).split(' ')) controller.enqueue(new TextEncoder().encode(word));
  },
}))), { body: 'one two' });
show('web stream', webStream.pieces.map(String), webStream.streamed);

show('bytes', [...(await call((message) => message.raw_body, { body: new Uint8Array([255, 0]) })).body]);

show('type', (await call(({ message_type }) => message_type, { messageType: 'queue' })).text, (await call((message) => message.message_type)).text);

const failed = async (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);
const refused = await failed(call(() => invoke('other')));
if (refused instanceof InvokeError) show('not allowed', refused.code, refused.status);
const teapot = await failed(call(() => invoke('tea'), { invokes: { tea: () => ({ statusCode: 418, body: { short: 'stout' } }) } }));
if (teapot instanceof InvokeError) show('status', teapot.code, teapot.status, teapot.body);
show('thrown', String(await failed(call(() => { throw new RangeError('no luck'); }))));

const leaving = new AbortController();
const left = call((message, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.aborted))), { signal: leaving.signal });
leaving.abort();
show('aborted', (await left).json());

const upload: StreamHandler<object> = async ({ stream, body }) => {
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(String(piece));
  return { pieces, body };
};
show('upload', (await call(upload, { stream: ['one', new Uint8Array([50])] })).json());
const webUpload = await call({ fetch: async (request) => new globalThis.Response(await request.text()) }, { stream: (async function* () { yield 'a'; yield 'b'; })() });
show('web upload', webUpload.text);

const chat: WebSocketHandler = async ({ websocket, query }) => {
  if (websocket === null || query.refused) return { statusCode: 403, body: 'no' };
  const socket = websocket.accept({ protocol: 'chat', headers: { 'X-Room': 7 }, maxMessageBytes: 1_000_000 });
  for await (const data of socket) {
    if (data === 'fail') throw new RangeError('as told');
    await socket.send(typeof data === 'string' ? data.toUpperCase() : new Uint8Array(data));
  }
  logger.debug('closed with %d', (await socket.closed).code);
};
const socket = await connect(chat, { protocols: ['chat', 'other'] });
await socket.send('hello');
await socket.send(new Uint8Array([1, 2]));
await socket.send('x'.repeat(900_000));
const [first, second, third] = [await socket.receive(), await socket.receive(), await socket.receive()];
show('socket', first, [...Buffer.from(second)], third.length, socket.protocol, socket.header('x-room'), await socket.close(4000, 'done'), (await socket.ended).status);
const failing = await connect(chat, { protocols: ['chat'] });
await failing.send('fail');
const told = await failed(failing.receive());
if (told instanceof WebSocketClosed) show('closed', told.code, String(await failed(failing.ended)));
const turnedAway = await failed(connect(chat, { query: { refused: 'yes' } }));
if (turnedAway instanceof HandshakeRefused) show('refused', turnedAway.answer.status, turnedAway.answer.text);
show('not offered', (await failed(connect(chat))) instanceof RangeError);
const webSocket = await connect({ fetch: async (request, { websocket }) => { await websocket?.accept().send(new URL(request.url).pathname); return new globalThis.Response(); } }, { path: '/web' });
show('web socket', await webSocket.receive(), await webSocket.closed);

const each = ['1', '2', '3'].map((value) => call(async () => traceHeaders().tracestate, { headers: { tracestate: value } }));
show('at a time', (await Promise.all(each)).map((one) => one.text));
show('outside', (await failed(invoke('greeting'))) instanceof Error);
show('required', typeof createRequire(import.meta.url)('@hearth/sdk').invoke);
`;

/** One line each, and the error that the compiler is to find in it; null: it is right. */
export const WRONG: { code: string; error: string | null }[] = [
  {
    code: "import { call } from '@hearth/sdk/testing'; import { type Handler, type Response, type StreamHandler, type WebHandler, type WebSocketHandler, invoke, logger } from '@hearth/sdk';",
    error: null,
  },
  { code: 'export const a: Handler = (message) => message.bodi;', error: 'TS2339' },
  { code: "export const b: Handler<string, Response> = () => ({ statusCode: '200' });", error: 'TS2322' },
  { code: 'export const c: Handler<{ name: string }> = ({ body }) => body.nam;', error: 'TS2551' },
  { code: 'export const d: Handler = () => 1n;', error: 'TS2322' },
  { code: "export const e: WebHandler = () => 'text';", error: 'TS2322' },
  { code: 'void invoke(7);', error: 'TS2345' },
  { code: "void invoke('a', null, { mode: 'later' });", error: 'TS2769' },
  { code: "logger.warning('a');", error: 'TS2339' },
  { code: "void call(() => 'a', { verbs: 'GET' });", error: 'TS2769' },
  { code: "void call(() => 'a', { verb: 'GET' });", error: null },
  { code: 'export const f: Handler = ({ stream }) => stream;', error: 'TS2339' },
  { code: 'export const g: StreamHandler = ({ raw_body }) => raw_body.length;', error: 'TS18047' },
  { code: 'export const h: WebSocketHandler = ({ websocket }) => websocket.protocols;', error: 'TS18047' },
  { code: 'export const i: WebSocketHandler = async ({ websocket }) => { await websocket?.accept().send(7); };', error: 'TS2345' },
  { code: 'void call(i, { stream: [] });', error: 'TS2769' },
];
