import { LOG_LEVELS, type StoredLogLine } from '../../schemas/log-line.ts';
import type { LogFilter } from '../log-filter.ts';

/** A filter, made ready for many lines: most are passed over by their bytes, unparsed. */
export class LineMatcher {
  readonly #filter: LogFilter;
  /** Every line that is wanted has these bytes. */
  readonly #needles: readonly Buffer[];
  readonly #level: number;
  readonly #contains: string | undefined;

  constructor(filter: LogFilter) {
    this.#filter = filter;
    this.#level = filter.level === undefined ? 0 : LOG_LEVELS.indexOf(filter.level);
    this.#contains = filter.contains?.toLowerCase();
    const members = { function_name: filter.functionName, correlation_id: filter.correlationId, instance_id: filter.instanceId };
    this.#needles = Object.entries(members).flatMap(([name, value]) =>
      value === undefined ? [] : [Buffer.from(`"${name}":${JSON.stringify(value)}`)],
    );
  }

  /** Whether a line that is wanted may be in these bytes. */
  mayBeIn(bytes: Buffer): boolean {
    return this.#needles.every((needle) => bytes.includes(needle));
  }

  /** @param bytes of one line, without its end @returns undefined when it is not wanted, or no line at all */
  match(bytes: Buffer): StoredLogLine | undefined {
    if (!this.mayBeIn(bytes)) return undefined;
    const line = parse(bytes);
    return line && this.#wants(line) ? line : undefined;
  }

  #wants(line: StoredLogLine): boolean {
    const { functionName, correlationId, instanceId, since, until } = this.#filter;
    return (
      (functionName === undefined || line.function_name === functionName) &&
      (correlationId === undefined || line.correlation_id === correlationId) &&
      (instanceId === undefined || line.instance_id === instanceId) &&
      (since === undefined || line.time >= since) &&
      (until === undefined || line.time < until) &&
      LOG_LEVELS.indexOf(line.level) >= this.#level &&
      (this.#contains === undefined || contains(line, this.#contains))
    );
  }
}

function contains({ message, fields }: StoredLogLine, text: string): boolean {
  return message.toLowerCase().includes(text) || (fields !== null && JSON.stringify(fields).toLowerCase().includes(text));
}

/** Undefined for what a disk has damaged. */
function parse(bytes: Buffer): StoredLogLine | undefined {
  try {
    return JSON.parse(bytes.toString()) as StoredLogLine;
  } catch {
    return undefined;
  }
}
