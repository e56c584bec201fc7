import { LOG_LEVELS, type LogLevel, type LogStream, type StoredLogLine } from '../../schemas/log-line.ts';

export type LineContent = Pick<StoredLogLine, 'stream' | 'level' | 'message' | 'fields'>;

/** What loggers call their levels. */
const LEVEL_NAMES: ReadonlyMap<string, LogLevel> = new Map([
  ...LOG_LEVELS.map((level) => [level, level] as const),
  ['verbose', 'trace'],
  ['notice', 'info'],
  ['log', 'info'],
  ['warning', 'warn'],
  ['err', 'error'],
  ['crit', 'fatal'],
  ['critical', 'fatal'],
  ['alert', 'fatal'],
  ['emergency', 'fatal'],
  ['panic', 'fatal'],
]);
const LEVEL_MEMBERS = ['level', 'severity', 'levelname', 'log.level'];
const MESSAGE_MEMBERS = ['message', 'msg'];
/** The loggers of the SDKs. */
const LOGGER_LINE = /^(DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL) (?! )/;
/** Other loggers: `ERROR: …`, `[WARN] …`, `WARNING:root:…`. */
const LEVEL_FIRST = /^\[?(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b/;

/** What a printed line says of itself. @param mask for what becomes another text by being read as JSON */
export function readLine(text: string, stream: 'stdout' | 'stderr', mask?: (text: string) => string): LineContent {
  if (text.startsWith('{') && text.endsWith('}')) {
    const object = parseObject(text, mask);
    if (object) return ofObject(text, stream, object);
  }
  const logged = stream === 'stderr' ? LOGGER_LINE.exec(text) : null;
  if (logged) return { stream: 'log', level: levelOf(logged[1]) as LogLevel, message: text.slice(logged[0].length), fields: null };
  return { stream, level: levelOf(LEVEL_FIRST.exec(text)?.[1]) ?? defaultLevel(stream), message: text, fields: null };
}

function ofObject(text: string, stream: LogStream, object: Record<string, unknown>): LineContent {
  const levelMember = LEVEL_MEMBERS.find((name) => levelOf(object[name]) !== undefined);
  const messageMember = MESSAGE_MEMBERS.find((name) => typeof object[name] === 'string');
  const fields = Object.fromEntries(Object.entries(object).filter(([name]) => name !== levelMember && name !== messageMember));
  return {
    stream: 'log',
    level: (levelMember === undefined ? undefined : levelOf(object[levelMember])) ?? defaultLevel(stream),
    message: messageMember === undefined ? text : (object[messageMember] as string),
    fields,
  };
}

function defaultLevel(stream: LogStream): LogLevel {
  return stream === 'stderr' ? 'error' : 'info';
}

/** By its name, or by the number that pino and Bunyan write. */
function levelOf(value: unknown): LogLevel | undefined {
  if (typeof value === 'string') return LEVEL_NAMES.get(value.toLowerCase());
  return typeof value === 'number' ? LOG_LEVELS[value / 10 - 1] : undefined;
}

function parseObject(text: string, mask: ((text: string) => string) | undefined): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text, mask && ((_name, value) => (typeof value === 'string' ? mask(value) : value))) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
