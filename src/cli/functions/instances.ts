import type { Instance } from '../../client/operations.ts';
import { call, type Target } from '../api-client.ts';
import { time } from '../instant.ts';
import { ago, printJson, printTable } from '../print.ts';
import { table } from '../table.ts';

interface InstancesOptions extends Target {
  all?: boolean;
  json?: boolean;
}

/** `hearth instances`: sandboxes that hold a function. */
export async function instances(functionName: string | undefined, options: InstancesOptions): Promise<void> {
  const query = { limit: 1000, all: options.all === true, ...(functionName === undefined ? {} : { function_name: functionName }) };
  const { instances: found } = await call(options, 'GET /functions/instances', { query });
  if (options.json) {
    printJson(found);
    return;
  }
  const now = Date.now();
  printTable(
    ['ID', 'FUNCTION', 'VERSION', 'STATE', 'CALLS', 'DRIVER', 'STARTED'],
    found.map((one) => [one.id, one.function_name, String(one.version), one.state, String(one.invocations), one.driver, ago(one.started_at, now)]),
  );
}

/** `hearth lookup-instance`: one, also when it has stopped. */
export async function lookUpInstance(id: string, options: Target & { json?: boolean }): Promise<void> {
  const found = await call(options, 'GET /functions/instances/{id}', { path: { id } });
  if (options.json) printJson(found);
  else process.stdout.write(table(rowsOf(found)));
}

function rowsOf(found: Instance): [string, string][] {
  return [
    ['id', found.id],
    ['function', `${found.function_name}, version ${found.version}`],
    ['state', found.stop_reason === null ? found.state : `${found.state}: ${found.stop_reason}`],
    ['driver', found.driver],
    ['calls', String(found.invocations)],
    ['started', time(found.started_at)],
    ['ready', found.ready_at === null ? '-' : time(found.ready_at)],
    ['stopped', found.stopped_at === null ? '-' : time(found.stopped_at)],
  ];
}
