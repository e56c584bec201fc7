import { HearthError } from '../errors.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { Invocation, InvocationInput, ReplySink } from './invocation.ts';
import { newInvocationId } from './invocation-id.ts';
import type { Scheduler } from './scheduler.ts';

/** All of it travels in one frame. */
const MAX_TEXT_BYTES = 448 * 1024;

/** The control plane's trigger, as the seed has it: everything is given as text, and passed on as it is. */
export interface TriggerRequest {
  /** `Name: value` lines; X-Correlation-Id among them if the client wants to choose it. */
  headerLines: string;
  /** What a script sees as HTTP_BODY; others are given the body that is in it. */
  body: string;
  path: string;
  verb: string;
}

export interface Triggered {
  correlationId: string;
  /** Of the instances that took it, in the order of the targets. */
  instanceIds: string[];
}

/**
 * Starts every target once and resolves when each has an instance; nobody waits for the answers, the records have them.
 * @throws HearthError the failure of the last one, when no target found an instance
 */
export async function trigger(
  scheduler: Pick<Scheduler, 'submit'>,
  targets: readonly { version: FunctionVersion; params: Readonly<Record<string, string>> }[],
  request: TriggerRequest,
): Promise<Triggered> {
  if (Buffer.byteLength(JSON.stringify([request.body, request.headerLines, request.path])) > MAX_TEXT_BYTES) {
    throw new HearthError(
      'invalid_request',
      `http_body, http_header and http_path together are larger than ${MAX_TEXT_BYTES} bytes as JSON text; call the function at the gateway instead.`,
    );
  }
  const { headers, correlationId } = parseHeaderLines(request.headerLines);
  const question = request.path.indexOf('?');
  const runs = targets.map(
    ({ version, params }) =>
      new Promise<string>((resolve, reject) => {
        const input: InvocationInput = {
          id: newInvocationId(),
          correlationId,
          trigger: 'api',
          verb: request.verb,
          path: question < 0 ? request.path : request.path.slice(0, question),
          rawPath: request.path,
          query: question < 0 ? '' : request.path.slice(question + 1),
          params,
          headers,
          ...(version.style === 'script' ? { body: null, scriptBody: request.body } : { body: bodyOf(request.body), scriptBody: null }),
          leavesReply: true,
          requestId: null,
        };
        scheduler.submit(input, version, new DispatchSink(resolve, reject));
      }),
  );
  const outcomes = await Promise.allSettled(runs);
  const instanceIds = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failure = outcomes.findLast((outcome) => outcome.status === 'rejected');
  if (failure && instanceIds.length === 0) throw failure.reason;
  return { correlationId, instanceIds };
}

/** What stands in a script's HTTP_BODY: `{"body": …}` around JSON, or around text that is none. Anything else is the body itself. */
function bodyOf(text: string): Buffer | null {
  let given: unknown = text;
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'body' in parsed && Object.keys(parsed).length === 1) given = parsed.body;
  } catch {
    // It is no JSON, and so no such object.
  }
  if (given === null || given === '') return null;
  return Buffer.from(typeof given === 'string' ? given : JSON.stringify(given));
}

/** Value of the first header of that name, in lower case, as the request gives them. */
export function headerOfLines(lines: string, name: string): string | undefined {
  for (const line of lines.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && line.slice(0, colon).trim().toLowerCase() === name) return line.slice(colon + 1).trim();
  }
  return undefined;
}

/** Names and values in turn, with exactly one X-Correlation-Id, last. */
function parseHeaderLines(lines: string): { headers: string[]; correlationId: string } {
  const headers: string[] = [];
  let correlationId = newInvocationId();
  for (const line of lines.split(/\r?\n/)) {
    if (line.trim() === '') continue;
    const colon = line.indexOf(':');
    if (colon <= 0)
      throw new HearthError('invalid_request', `http_header has the line ${JSON.stringify(line.slice(0, 80))}, which is no "Name: value".`);
    const name = line.slice(0, colon).trim();
    const value = line.slice(colon + 1).trim();
    if (name.toLowerCase() === 'x-correlation-id') correlationId = value;
    else headers.push(name, value);
  }
  if (!/^[\u0021-\u007e]{1,127}$/.test(correlationId)) {
    throw new HearthError('invalid_request', 'X-Correlation-Id in http_header must be 1 to 127 printable ASCII characters, as it names a queue.');
  }
  headers.push('X-Correlation-Id', correlationId);
  return { headers, correlationId };
}

/** Waits for the instance only; the answer goes nowhere. */
class DispatchSink implements ReplySink {
  readonly #resolve: (instanceId: string) => void;
  readonly #reject: (error: HearthError) => void;

  constructor(resolve: (instanceId: string) => void, reject: (error: HearthError) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  dispatched(invocation: Invocation): void {
    this.#resolve(invocation.instanceId as string);
  }

  reply(): void {}

  start(): void {}

  write(): boolean {
    return true;
  }

  onceDrained(callback: () => void): void {
    callback();
  }

  end(): void {}

  fail(_invocation: Invocation, error: HearthError): void {
    this.#reject(error);
  }
}
