import { type DestinationStream, type Logger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { printableJson } from '../printable.ts';

export type { Logger } from 'pino';

/** Lines are gathered up to so many bytes, or for so long. */
const BUFFER_BYTES = 8 * 1024;
const FLUSH_MS = 100;

export interface LogSettings {
  level: string;
  format: 'auto' | 'json' | 'pretty';
}

/** The platform's log and the way to write out what it still holds. */
export interface PlatformLog {
  log: Logger;
  /** Writes what is buffered, synchronously; before the process exits. */
  flush(): void;
}

/** Lines of JSON to standard output, or readable ones on a terminal. Written asynchronously: a line per invocation must not cost a system call each. */
export function createLog(settings: LogSettings, isTerminal: boolean): PlatformLog {
  const destination = pino.destination({ dest: 1, sync: false, minLength: BUFFER_BYTES, periodicFlush: FLUSH_MS });
  // A reader that went away (`hearth up | head`) ends the log, not the platform.
  destination.on('error', () => undefined);
  const pretty = settings.format === 'pretty' || (settings.format === 'auto' && isTerminal);
  const stream: DestinationStream = pretty
    ? PinoPretty({ destination, colorize: isTerminal, translateTime: 'SYS:HH:MM:ss.l', singleLine: true })
    : destination;
  const log = pino(
    {
      level: settings.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // A line may hold what callers and functions said; as JSON it is for programs.
      ...(pretty ? { hooks: { streamWrite: printableJson } } : {}),
    },
    stream,
  );
  return {
    log,
    flush: () => {
      try {
        destination.flushSync();
      } catch {
        // Not opened yet, or its reader is gone: nothing can be written.
      }
    },
  };
}
