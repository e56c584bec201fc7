import { type Static, Type } from 'typebox';

/** From the least on. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_STREAMS = ['stdout', 'stderr', 'log'] as const;
export type LogStream = (typeof LOG_STREAMS)[number];

const nullableText = (description: string) => Type.Unsafe<string | null>({ type: ['string', 'null'], description });

/** A line as its file has it, and as the API gives it but for its id. */
export const StoredLogLine = Type.Object({
  time: Type.Number({ description: 'When the platform heard it: milliseconds since 1970-01-01 UTC.' }),
  function_name: Type.String(),
  version: Type.Integer(),
  instance_id: Type.String(),
  correlation_id: nullableText('Of the call that printed it; null: it was printed outside any call, at the start or in the background.'),
  stream: Type.Unsafe<LogStream>({
    type: 'string',
    enum: [...LOG_STREAMS],
    description: 'Where it was printed; `log`: it was a line of a logger, or of JSON, or is what the platform says of how a call or a start failed.',
  }),
  level: Type.Unsafe<LogLevel>({
    type: 'string',
    enum: [...LOG_LEVELS],
    description: 'As the line itself says; where it says none, `info` of stdout and `error` of stderr.',
  }),
  message: Type.String(),
  fields: Type.Unsafe<Record<string, unknown> | null>({
    type: ['object', 'null'],
    additionalProperties: true,
    description: 'What else a line of JSON had; null for text.',
  }),
});
export type StoredLogLine = Static<typeof StoredLogLine>;

/** One line of what functions print. */
export const LogLine = Type.Object(
  {
    id: Type.String({ description: 'Where it stands. Later lines have later ids.' }),
    ...StoredLogLine.properties,
  },
  {
    title: 'LogLine',
  },
);
export type LogLine = Static<typeof LogLine>;
