import type { ResponseOf } from '../../client/client.ts';
import { call, type Target } from '../api-client.ts';
import { usage } from '../cli-error.ts';
import { time } from '../instant.ts';
import { printJson, printTable } from '../print.ts';
import { table } from '../table.ts';

type Traffic = ResponseOf<'GET /functions/{function_name}/traffic'>;

/** `hearth traffic show`: how the calls of a function are split, and what came of them. */
export async function trafficShow(functionName: string, options: Target & { json?: boolean }): Promise<void> {
  const found = await call(options, 'GET /functions/{function_name}/traffic', { path: { function_name: functionName } });
  if (options.json) printJson(found);
  else print(found);
}

interface SetOptions extends Target {
  sticky?: string;
  rollbackAbove?: number;
  calls: number;
  /** Seconds. */
  window: number;
  json?: boolean;
}

/** `hearth traffic set`: splits the calls, in the place of the split that there was. */
export async function trafficSet(functionName: string, shares: readonly string[], options: SetOptions): Promise<void> {
  const { sticky, rollbackAbove, calls, window } = options;
  const done = await call(options, 'PUT /functions/{function_name}/traffic', {
    path: { function_name: functionName },
    body: {
      weights: Object.fromEntries(shares.map(shareOf)),
      ...(sticky === undefined ? {} : { sticky_header: sticky }),
      ...(rollbackAbove === undefined
        ? {}
        : { rollback_on: { error_rate: rollbackAbove / 100, minimum_calls: calls, window_ms: Math.round(window * 1000) } }),
    },
  });
  for (const warning of done.warnings) process.stderr.write(`hearth: ${warning}\n`);
  if (options.json) printJson(done);
  else print(done);
}

/** `hearth traffic end`: all calls go to the current version again. */
export async function trafficEnd(functionName: string, options: Target & { json?: boolean }): Promise<void> {
  const done = await call(options, 'DELETE /functions/{function_name}/traffic', { path: { function_name: functionName } });
  for (const warning of done.warnings) process.stderr.write(`hearth: ${warning}\n`);
  if (options.json) printJson(done);
  else process.stdout.write(`All calls of ${functionName} go to version ${done.current_version}${done.deleted ? '' : ', as before'}.\n`);
}

/** `VERSION=PERCENT` @throws CliError */
function shareOf(text: string): [string, number] {
  const [, version, percent] = /^(\d+)=(\d+)%?$/.exec(text) ?? [];
  if (version === undefined) throw usage(`${text} is not VERSION=PERCENT, such as 4=10.`);
  return [version, Number(percent)];
}

function print({ state, current_version: current, sticky_header: sticky, rollback_on: bound, rolled_back: rolledBack, versions }: Traffic): void {
  printTable(
    ['VERSION', 'PERCENT', 'CALLS', 'ERRORS'],
    versions.map((one) => [
      `${one.version}${one.version === current ? ' (current)' : ''}`,
      String(one.weight),
      String(one.calls),
      String(one.errors),
    ]),
  );
  const rows: [string, string][] = [
    ['state', rolledBack === null ? state : `rolled back from version ${rolledBack.version} at ${time(rolledBack.at)}: ${rolledBack.reason}`],
    ['sticky by', sticky ?? '-'],
    [
      'rolled back',
      bound === null ? 'never' : `above ${bound.error_rate * 100} % of ${bound.minimum_calls} calls or more in ${bound.window_ms / 1000} s`,
    ],
  ];
  process.stdout.write(`\n${table(rows)}`);
}
