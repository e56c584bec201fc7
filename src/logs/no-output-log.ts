import { setTimeout as sleep } from 'node:timers/promises';
import type { OutputLog, OutputSource } from './output-log.ts';
import type { LinesAfter } from './thread/read-on.ts';
import type { LogPage } from './thread/search-lines.ts';

const nothing = (): void => undefined;
const SOURCE: OutputSource = { setSecrets: nothing, write: nothing, say: nothing, endCall: nothing, end: nothing };

/** For platforms that keep nothing of what functions print. */
export class NoOutputLog implements OutputLog {
  readonly counts = { lines: 0, dropped: 0, bytes: 0 };

  source(): OutputSource {
    return SOURCE;
  }

  async search(): Promise<LogPage> {
    return { lines: [], next: null };
  }

  async follow(_request: unknown, waitMs: number, signal: AbortSignal): Promise<LinesAfter> {
    await sleep(waitMs, undefined, { signal }).catch(nothing);
    return { lines: [], position: { segment: 0, offset: 0 }, leftOutBytes: 0 };
  }

  async prune(): Promise<void> {}

  async close(): Promise<void> {}
}
