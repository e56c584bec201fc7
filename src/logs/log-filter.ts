import type { LogLevel } from '../schemas/log-line.ts';

/** Which lines are wanted; what is left out asks for nothing. */
export interface LogFilter {
  functionName?: string | undefined;
  correlationId?: string | undefined;
  instanceId?: string | undefined;
  /** The least. */
  level?: LogLevel | undefined;
  /** Milliseconds since the epoch: this instant and later. */
  since?: number | undefined;
  /** Earlier than this. */
  until?: number | undefined;
  /** In the message or, as JSON, in the fields; capital and small letters are the same. */
  contains?: string | undefined;
}
