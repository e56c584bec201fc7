import { isUtf8 } from 'node:buffer';
import { call, type Target } from '../api-client.ts';
import { unreachable, usage } from '../cli-error.ts';
import { duration, printJson } from '../print.ts';
import { table } from '../table.ts';
import { type Payload, parseHeaders, readPayload } from './payload.ts';

interface InvokeOptions extends Target {
  gateway: string;
  data?: string;
  header: string[];
  verb?: string;
  path?: string;
  async?: boolean;
  include?: boolean;
  timing?: boolean;
  json?: boolean;
}

/** `hearth invoke`: calls a function as its callers do, at the gateway; one that is run by the clock or by a queue through the API. */
export async function invoke(functionName: string, options: InvokeOptions): Promise<void> {
  const [{ event_type: on }, payload] = await Promise.all([
    call(options, 'GET /functions/{function_name}', { path: { function_name: functionName } }),
    readPayload(options.data),
  ]);
  if (on.startsWith('http|')) await callGateway(on, payload, options);
  else await callApi(functionName, payload, options);
}

async function callGateway(on: string, payload: Payload | undefined, options: InvokeOptions): Promise<void> {
  const [, ownVerb = '*', ownPath = '/'] = on.split('|');
  const path = options.path ?? pathOf(ownPath);
  const verb = options.verb?.toUpperCase() ?? (ownVerb === '*' ? (payload ? 'POST' : 'GET') : ownVerb);
  const headers = new Headers(payload ? { 'Content-Type': payload.type } : {});
  if (options.async) headers.set('Prefer', 'respond-async');
  for (const [name, value] of parseHeaders(options.header)) headers.set(name, value);
  const began = performance.now();
  const response = await fetch(new URL(path, options.gateway), {
    method: verb,
    headers,
    redirect: 'manual',
    ...(payload === undefined ? {} : { body: payload.data }),
  }).catch((cause: unknown) => {
    throw unreachable(`No gateway answers at ${options.gateway}. Name its address with --gateway.`, cause);
  });
  const firstByteMs = performance.now() - began;
  if (options.include) {
    process.stderr.write(`HTTP ${response.status}\n${[...response.headers].map(([name, value]) => `${name}: ${value}\n`).join('')}\n`);
  }
  if (options.json) {
    const body = Buffer.from(await response.arrayBuffer());
    printJson(answerOf(response, body, phasesOf(response, firstByteMs, performance.now() - began)));
  } else {
    // As it comes: a stream is seen while it lasts.
    for await (const chunk of response.body ?? []) process.stdout.write(chunk);
    if (process.stdout.isTTY && response.body !== null) process.stdout.write('\n');
    if (options.timing) process.stderr.write(timing(response, phasesOf(response, firstByteMs, performance.now() - began)));
  }
  if (response.status >= 400) {
    const id = response.headers.get('x-correlation-id');
    const more = id === null ? '' : ` \`hearth invocations show ${id}\` may tell more.`;
    process.stderr.write(`hearth: ${verb} ${path} was answered with ${response.status}.${more}\n`);
    process.exitCode = 1;
  }
}

/** @throws CliError when it says of no one path what it is */
function pathOf(ownPath: string): string {
  if (!/\/:|\*$/.test(ownPath)) return ownPath;
  throw usage(
    `The event key's path is ${ownPath}; say by --path which one is to be called, such as ${ownPath.replace(/:\w+/g, '7').replace('*', 'x')}.`,
  );
}

/** Where the time went, in milliseconds: by the platform's own clock, then by ours. */
function phasesOf(response: Response, firstByteMs: number, totalMs: number): Record<string, number> {
  const parts = (response.headers.get('server-timing') ?? '').matchAll(/(\w+);dur=([\d.]+)/g);
  return { ...Object.fromEntries([...parts].map(([, name = '', ms]) => [name, Number(ms)])), first_byte: firstByteMs, total: totalMs };
}

function timing(response: Response, phases: Readonly<Record<string, number>>): string {
  return table([
    ['started', response.headers.get('x-hearth-start') ?? '-'],
    ...Object.entries(phases).map(([name, ms]) => [name.replace('_', ' '), duration(ms)]),
  ]);
}

/** In the words of the API for what an invocation was answered. */
function answerOf(response: Response, body: Buffer, phases: Readonly<Record<string, number>>): object {
  const isText = isUtf8(body);
  return {
    correlation_id: response.headers.get('x-correlation-id'),
    start: response.headers.get('x-hearth-start'),
    status: response.status,
    headers: [...response.headers],
    body: isText ? body.toString() : null,
    body_base64: isText ? null : body.toString('base64'),
    timing_ms: phases,
  };
}

async function callApi(functionName: string, payload: Payload | undefined, options: InvokeOptions): Promise<void> {
  const answer = await call(options, 'POST /functions/{function_name}/invocations', {
    path: { function_name: functionName },
    body: {
      mode: options.async ? 'async' : 'sync',
      ...(payload === undefined ? {} : { body_base64: payload.data.toString('base64'), headers: { 'Content-Type': payload.type } }),
    },
  });
  printJson(answer);
}
