import type { ReplyMessage } from '../endpoint.ts';
import type { BasicProperties } from './content-header.ts';

/** The answer that a published message stands for. */
export function toReplyMessage(properties: BasicProperties, body: Buffer): ReplyMessage {
  const headers: string[] = [];
  for (const [name, value] of properties.headers?.fields ?? []) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') {
      headers.push(name, String(value));
    }
  }
  return { body, contentType: properties.contentType, headers };
}
