import { call, type Target } from '../api-client.ts';
import { usage } from '../cli-error.ts';
import { printJson } from '../print.ts';
import { type Payload, parseHeaders, readPayload } from './payload.ts';

interface TriggerOptions extends Target {
  httpVerb: string;
  httpPath: string;
  data?: string;
  /** As scripts find it, instead of `data`. */
  httpBody?: string;
  header: string[];
  json?: boolean;
}

/** `hearth trigger`: has the functions of an event key run, and says in which instances. What they answer goes nowhere. */
export async function trigger(options: TriggerOptions): Promise<void> {
  if (options.data !== undefined && options.httpBody !== undefined)
    throw usage('Either --data has the body, or --http-body has it as scripts find it.');
  const payload = await readPayload(options.data);
  const lines = parseHeaders(options.header).map(([name, value]) => `${name}: ${value}`);
  if (payload && !lines.some((line) => /^content-type:/i.test(line))) lines.push(`Content-Type: ${payload.type}`);
  const answer = await call(options, 'POST /functions/trigger', {
    body: {
      http_header: lines.join('\n'),
      http_body: options.httpBody ?? bodyOf(payload),
      http_path: options.httpPath,
      http_verb: options.httpVerb.toUpperCase(),
    },
  });
  if (options.json) printJson(answer);
  else if (answer.container_ids.length > 0) process.stdout.write(answer.container_ids.map((id) => `${id}\n`).join(''));
  else
    process.stderr.write(
      `No function is registered for ${options.httpVerb.toUpperCase()} ${options.httpPath}: nothing runs. \`hearth list\` has the event keys that there are.\n`,
    );
}

/** As the gateway makes it of a request's body. */
function bodyOf(payload: Payload | undefined): string {
  const text = payload?.data.toString() ?? '';
  return payload?.type === 'application/json' ? `{"body": ${text}}` : JSON.stringify({ body: payload === undefined ? null : text });
}
