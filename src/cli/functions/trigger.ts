import { call, type Target } from '../api-client.ts';
import { printJson } from '../print.ts';
import { parseHeaders, readPayload } from './payload.ts';

interface TriggerOptions extends Target {
  httpVerb: string;
  httpPath: string;
  data?: string;
  header: string[];
  json?: boolean;
}

/** `hearth trigger`: has the functions of an event key run, and says in which instances. What they answer goes nowhere. */
export async function trigger(options: TriggerOptions): Promise<void> {
  const payload = await readPayload(options.data);
  const text = payload?.data.toString() ?? '';
  const lines = parseHeaders(options.header).map(([name, value]) => `${name}: ${value}`);
  if (payload && !lines.some((line) => /^content-type:/i.test(line))) lines.push(`Content-Type: ${payload.type}`);
  const answer = await call(options, 'POST /functions/trigger', {
    body: {
      http_header: lines.join('\n'),
      http_body: payload?.type === 'application/json' ? `{"body": ${text}}` : JSON.stringify({ body: payload === undefined ? null : text }),
      http_path: options.httpPath,
      http_verb: options.httpVerb.toUpperCase(),
    },
  });
  if (options.json) printJson(answer);
  else if (answer.container_ids.length > 0) process.stdout.write(answer.container_ids.map((id) => `${id}\n`).join(''));
  else process.stderr.write(`No function is registered for ${options.httpVerb.toUpperCase()} ${options.httpPath}: nothing runs.\n`);
}
