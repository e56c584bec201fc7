import type { FunctionSummary } from '../../client/operations.ts';
import { call, type Target } from '../api-client.ts';
import { ago, printJson, printTable } from '../print.ts';

interface ListOptions extends Target {
  /** Only functions whose name or event key has this in it, or fits it where it is a pattern with `*` or `?`. */
  filter?: string;
  json?: boolean;
}

/** `hearth list`: what is registered, with the instances that each has now. */
export async function list(options: ListOptions): Promise<void> {
  const [byKey, { instances }] = await Promise.all([
    call(options, 'GET /functions'),
    call(options, 'GET /functions/instances', { query: { limit: 1000 } }),
  ]);
  const { filter = '' } = options;
  const fits = matcherOf(filter);
  const found = Object.values(byKey)
    .flat()
    .filter(({ function_name: name, event_type: on }) => fits(name) || fits(on))
    .sort((a, b) => (a.function_name < b.function_name ? -1 : 1));
  if (options.json) {
    printJson(found);
    return;
  }
  if (found.length === 0) {
    const next = filter === '' ? 'Make one: `hearth init greeter`, then `hearth deploy greeter`.' : 'Without --filter all are listed.';
    process.stderr.write(`No function${filter === '' ? ' is registered' : ` has "${filter}" in its name or event key`}. ${next}\n`);
    return;
  }
  const counts = Map.groupBy(instances, ({ function_name: name }) => name);
  const now = Date.now();
  printTable(
    ['NAME', 'EVENT KEY', 'VERSION', 'RUNTIME', 'INSTANCES', 'REGISTERED'],
    found.map((one) => rowOf(one, counts.get(one.function_name)?.length ?? 0, now)),
  );
}

function matcherOf(filter: string): (text: string) => boolean {
  if (!/[*?]/.test(filter)) return (text) => text.includes(filter);
  const pattern = filter
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const whole = new RegExp(`^${pattern}$`);
  return (text) => whole.test(text);
}

function rowOf(one: FunctionSummary, instances: number, now: number): string[] {
  const { function_name: name, event_type: on, version, runtime, style, created_at: at } = one;
  return [name, on, String(version), `${runtime} ${style}`, String(instances), ago(at, now)];
}
