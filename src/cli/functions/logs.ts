import type { LogLine, Operations } from '../../client/operations.ts';
import { HearthError } from '../../errors.ts';
import { printable } from '../../printable.ts';
import { call, type Target } from '../api-client.ts';
import { usage } from '../cli-error.ts';
import { instantBefore, time } from '../instant.ts';
import { dim, ofLevel } from '../print.ts';
import { follow } from './follow-logs.ts';

export interface LogsOptions extends Target {
  follow?: boolean;
  /** Lines that are there already, at most. */
  last?: number;
  level?: LogLine['level'];
  since?: string;
  until?: string;
  contains?: string;
  correlationId?: string;
  json?: boolean;
}

export type LogFilter = Omit<NonNullable<Operations['GET /logs']['query']>, 'limit' | 'cursor'>;

/** Lines, when nothing says how many, or which. */
const LAST = 20;
const PAGE = 1000;
/** Of all that a filter finds. */
const MOST = 10_000;
const INSTANCE_ID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;

/** `hearth logs`: the last lines that a function or all printed; with `--follow`, those that come. Of an instance's id alone: what that printed, as it is. */
export async function logs(name: string | undefined, options: LogsOptions): Promise<void> {
  const now = Date.now();
  const { level, contains, correlationId, json } = options;
  const isInstance = name !== undefined && INSTANCE_ID.test(name) && (await hasInstance(name, options));
  if (isInstance && isPlain(options)) {
    const response = await call(options, 'GET /functions/instances/{id}/logs', { path: { id: name } });
    process.stdout.write(printable(await response.text()));
    return;
  }
  const filter: LogFilter = {
    ...(name === undefined ? {} : isInstance ? { instance_id: name } : { function: name }),
    ...(level === undefined ? {} : { level }),
    ...(contains === undefined ? {} : { contains }),
    ...(correlationId === undefined ? {} : { correlation_id: correlationId }),
    ...(options.since === undefined ? {} : { since: instantBefore('--since', options.since, now) }),
    ...(options.until === undefined ? {} : { until: instantBefore('--until', options.until, now) }),
  };
  const isNarrow = isInstance || correlationId !== undefined || options.since !== undefined;
  const show = (line: LogLine) => print(line, json === true);
  if (options.follow) {
    if (options.until !== undefined) throw usage('--follow goes on, and --until ends: leave one of them out.');
    await follow(options, filter, options.last ?? (isNarrow ? PAGE : LAST), show);
    return;
  }
  const { lines, more } = await lastLines(options, filter, options.last ?? (isNarrow ? MOST : LAST));
  if (more && isNarrow && options.last === undefined) {
    process.stderr.write(
      `hearth: there is more; these are the last ${lines.length} lines. --until ${time(lines[0]?.time ?? now)} shows those before.\n`,
    );
  }
  for (const line of lines) show(line);
}

function isPlain({ follow: goesOn, last, level, since, until, contains, correlationId, json }: LogsOptions): boolean {
  return [goesOn, last, level, since, until, contains, correlationId, json].every((option) => option === undefined);
}

async function hasInstance(id: string, options: LogsOptions): Promise<boolean> {
  try {
    await call(options, 'GET /functions/instances/{id}', { path: { id } });
    return true;
  } catch (error) {
    if (error instanceof HearthError && error.code === 'not_found') return false;
    throw error;
  }
}

/** The oldest first. */
async function lastLines(options: LogsOptions, filter: LogFilter, most: number): Promise<{ lines: LogLine[]; more: boolean }> {
  const lines: LogLine[] = [];
  let cursor: string | null = '';
  do {
    const query = { ...filter, limit: Math.min(PAGE, most - lines.length), ...(cursor === '' ? {} : { cursor }) };
    const page: Operations['GET /logs']['response'] = await call(options, 'GET /logs', { query });
    lines.push(...page.lines);
    cursor = page.next_cursor;
  } while (cursor !== null && lines.length < most);
  return { lines: lines.reverse(), more: cursor !== null };
}

function print(line: LogLine, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const { function_name: name, correlation_id: correlationId, level, message, fields } = line;
  const head = dim(`${time(line.time)} ${name} ${correlationId ?? '-'}`);
  const said = level === 'info' ? '' : `${ofLevel(level)} `;
  // A line of JSON without a message is its own message.
  const members = fields === null || message.startsWith('{') || Object.keys(fields).length === 0 ? '' : ` ${dim(printable(JSON.stringify(fields)))}`;
  const [first = '', ...rest] = message.split('\n').map((part) => printable(part).trimEnd());
  process.stdout.write(`${[`${said}${first}${members}`, ...rest].map((part) => `${head} ${part}`.trimEnd()).join('\n')}\n`);
}
