import { type Static, Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { LogFilter } from '../../logs/log-filter.ts';
import { type LogPosition, parsePosition } from '../../logs/log-position.ts';
import { LOG_LEVELS } from '../../schemas/log-line.ts';
import { OneOf } from './common.ts';

/** What the routes of the log ask for alike. */
export const logFilterMembers = {
  function: Type.Optional(Type.String({ maxLength: 256, description: 'Of this function only.' })),
  function_name: Type.Optional(Type.String({ maxLength: 256, description: 'The same.' })),
  correlation_id: Type.Optional(Type.String({ maxLength: 256, description: 'Of this call only: the `X-Correlation-Id` of its answer.' })),
  instance_id: Type.Optional(Type.String({ maxLength: 256, description: 'Of this instance only.' })),
  level: Type.Optional(OneOf(LOG_LEVELS, { description: 'Of this level and those above it.' })),
  since: Type.Optional(Type.Number({ description: 'From this instant on: milliseconds since 1970-01-01 UTC.' })),
  until: Type.Optional(Type.Number({ description: 'Before this instant.' })),
  contains: Type.Optional(
    Type.String({ maxLength: 1024, description: 'Has this in its message or fields; capital and small letters are the same.' }),
  ),
};
const LogFilterMembers = Type.Object(logFilterMembers);

export function logFilter(query: Static<typeof LogFilterMembers>): LogFilter {
  return {
    functionName: query.function ?? query.function_name,
    correlationId: query.correlation_id,
    instanceId: query.instance_id,
    level: query.level,
    since: query.since,
    until: query.until,
    contains: query.contains,
  };
}

/** @param name of whatever has it @throws HearthError invalid_request */
export function logPosition(name: string, text: string): LogPosition {
  const position = parsePosition(text);
  if (!position) throw new HearthError('invalid_request', `${name} is to be what an answer before had as such; "${text}" is not.`);
  return position;
}
