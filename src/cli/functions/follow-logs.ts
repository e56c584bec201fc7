import { setTimeout as sleep } from 'node:timers/promises';
import { eventsOf } from '../../client/event-stream.ts';
import type { LogLine } from '../../client/operations.ts';
import { HearthError } from '../../errors.ts';
import { call, type Target } from '../api-client.ts';
import { CliError, EXIT } from '../cli-error.ts';
import type { LogFilter } from './logs.ts';

const COME_BACK_MS = 1000;

/** Shows lines as they come, for as long as the command runs; when the platform goes away, from the last line on once it is back. @param last lines that are there already */
export async function follow(target: Target, filter: LogFilter, last: number, show: (line: LogLine) => void): Promise<never> {
  let stream = await call(target, 'GET /logs/tail', { query: { ...filter, last } });
  for (let seen = ''; ; ) {
    try {
      for await (const { id, event, data } of eventsOf(stream)) {
        if (event === 'message') show(JSON.parse(data) as LogLine);
        else if (event === 'left_out') process.stderr.write('hearth: lines were left out, since they came faster than they could be shown.\n');
        if (id !== '') seen = id;
      }
    } catch (error) {
      // What else than fetch may fail here is a mistake of ours.
      if (!(error instanceof TypeError)) throw error;
    }
    stream = await comeBack(target, filter, seen);
  }
}

/** Waits for the platform. @throws HearthError when it is there and refuses */
async function comeBack(target: Target, filter: LogFilter, seen: string): Promise<Response> {
  for (let told = false; ; ) {
    await sleep(COME_BACK_MS);
    try {
      return await call(target, 'GET /logs/tail', { query: filter, ...(seen === '' ? {} : { headers: { 'Last-Event-ID': seen } }) });
    } catch (error) {
      const isAway = error instanceof CliError && error.exitCode === EXIT.unreachable;
      if (!isAway && !(error instanceof HearthError && error.status === 503)) throw error;
      if (!told) process.stderr.write('hearth: the platform is away; its lines are shown once it is back.\n');
      told = true;
    }
  }
}
