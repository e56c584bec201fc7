import type { Arguments, ResponseOf } from '../../../../src/client/client.ts';

type FunctionDetail = ResponseOf<'GET /functions/{function_name}'>;
type Registration = Arguments<'POST /functions'>[0]['body'];
type Layer = ResponseOf<'GET /layers'>['layers'][number];

/** Members of both that the code below looks after. */
type Other = 'function_code' | 'bundle' | 'style' | 'concurrency' | 'layers' | 'requirements';

/**
 * Members by which a function is registered and that it is shown with, under the same names and with the same meaning. It does not compile when a definition
 * has got another: deploying from the page would drop it.
 */
const SAME: Readonly<Record<Exclude<keyof FunctionDetail & keyof Registration, Other>, true>> = {
  event_type: true,
  function_name: true,
  runtime: true,
  timeout_ms: true,
  network: true,
  environment: true,
  secrets: true,
  max_instances: true,
  max_queue: true,
  async: true,
  retry: true,
  reserved: true,
  min_idle_ms: true,
  max_idle_ms: true,
  memory_mb: true,
  cpu: true,
  access: true,
  cors: true,
  rate_limit: true,
  schedule: true,
  destinations: true,
  invokes: true,
  command: true,
  server: true,
  stream_body: true,
  websocket: true,
  slo: true,
  error_logs: true,
};

/** Of styles that are found out from the code: what the code's next style would not want to inherit. */
const DEFAULT_CONCURRENCY: Readonly<Record<string, readonly number[]>> = { script: [4, 8], server: [16], lambda: [1] };

/**
 * The function as it is, with other code. What is null there is left out here, which means the default; the style too, since the code decides about it,
 * unless it is that of a program.
 * @param layers all that there are: functions know theirs by id, registrations name them
 */
export function withCode(definition: FunctionDetail, code: string, layers: readonly Layer[]): Registration {
  const { style, concurrency } = definition;
  const members: Record<string, unknown> = Object.fromEntries(Object.keys(SAME).map((name) => [name, definition[name as keyof FunctionDetail]]));
  if (style === 'server' || style === 'lambda') members.style = style;
  if (!DEFAULT_CONCURRENCY[style]?.includes(concurrency)) members.concurrency = concurrency;
  Object.assign(members, packagesOf(definition));
  const names = namedLayers(definition, layers);
  if (names.length > 0) members.layers = names;
  return { ...(withoutNulls(members) as Registration), function_code: code };
}

/** Of Node.js, `requirements` is what its package.json and its lock were kept as. */
function packagesOf({ runtime, requirements }: FunctionDetail): Record<string, unknown> {
  if (requirements === null || !runtime.startsWith('nodejs')) return { requirements };
  const { package: description, lock, scripts } = JSON.parse(requirements) as { package: unknown; lock?: unknown; scripts?: boolean };
  return { package_json: description, package_lock: lock, allow_scripts: scripts === true ? true : undefined };
}

/** In search order: the function's own, the named ones, and of Python the one that every function has. */
function namedLayers({ runtime, requirements, layers: ids }: FunctionDetail, layers: readonly Layer[]): string[] {
  const named = ids.slice(requirements === null ? 0 : 1, runtime.startsWith('python') ? -1 : undefined);
  return named.map((id) => {
    const name = layers.find((layer) => layer.id === id)?.name;
    if (name == null) throw new Error('A layer of this function has lost its name: deploy it by the command, naming its layers.');
    return name;
  });
}

function withoutNulls(value: unknown): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value) || typeof value !== 'object') return value;
  const entries = Object.entries(value as object).map(([name, one]) => [name, withoutNulls(one)] as const);
  return Object.fromEntries(entries.filter(([, one]) => one !== undefined));
}
