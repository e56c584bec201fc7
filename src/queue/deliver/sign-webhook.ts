import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * `webhook-signature` of the Standard Webhooks specification (standardwebhooks.com): `v1,` and the HMAC-SHA256 over id, timestamp and body with dots between,
 * in base64.
 * @param secret `whsec_` and the key in base64; any other text is the key itself, in UTF-8
 * @param id without a dot
 * @param timestamp seconds since the epoch
 * @throws Error when what follows `whsec_` is no base64
 */
export function signWebhook(secret: string, id: string, timestamp: number, body: Uint8Array): string {
  const hmac = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.`).update(body);
  return `v1,${hmac.digest('base64')}`;
}

function keyOf(secret: string): Buffer {
  if (!secret.startsWith(PREFIX)) return Buffer.from(secret);
  const text = secret.slice(PREFIX.length);
  if (!BASE64.test(text)) throw new Error(`what follows ${PREFIX} in the secret is no base64`);
  return Buffer.from(text, 'base64');
}
