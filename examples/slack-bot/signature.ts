import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Message } from '@hearth/sdk';

/** Seconds. A request that was listened in on can't be sent again after this. */
const MAX_AGE = 300;

/** Whether Slack has sent this: by its signature of version 0, HMAC-SHA256 over the version, the time and the body as it came. */
export function isFromSlack({ headers, raw_body: body }: Message, secret: string): boolean {
  // Names of headers have no case, and proxies change it.
  const given = new Headers(headers as Record<string, string>);
  const time = given.get('X-Slack-Request-Timestamp') ?? '';
  if (!/^\d+$/.test(time) || Math.abs(Date.now() / 1000 - Number(time)) > MAX_AGE) return false;
  const expected = Buffer.from(`v0=${createHmac('sha256', secret).update(`v0:${time}:`).update(body).digest('hex')}`);
  const signature = Buffer.from(given.get('X-Slack-Signature') ?? '');
  // `===` ends at the first difference, and so tells by its time how much of a guess was right.
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}
