import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { CallbackAddresses } from '../callback-address.ts';
import { DeliveryRefused } from './delivery-refused.ts';
import { signWebhook } from './sign-webhook.ts';

/** From resolving the name to the head of the answer. */
const TIMEOUT_MS = 10_000;

export interface WebhookMessage {
  url: string;
  /** The same in every try; without a dot. */
  id: string;
  /** Of this try; milliseconds since the epoch. */
  sentAt: number;
  body: Buffer;
  /** The secret's value; null: it is not signed. */
  secret: string | null;
  /** Names and values besides those of the specification. */
  headers: Readonly<Record<string, string>>;
}

/**
 * Sends it by POST, with the headers of the Standard Webhooks specification. Redirects are not followed: they could lead anywhere.
 * @throws DeliveryRefused when the receiver wants no more of it (410), or the address is not allowed
 * @throws Error when it didn't arrive, or was not answered by 200 to 299
 */
export async function postWebhook(message: WebhookMessage, addresses: CallbackAddresses, ending: AbortSignal): Promise<void> {
  const { body, id, secret } = message;
  try {
    addresses.check(message.url);
  } catch (error) {
    throw new DeliveryRefused((error as Error).message);
  }
  const url = new URL(message.url);
  const timestamp = Math.floor(message.sentAt / 1000);
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const headers = {
    ...message.headers,
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    'User-Agent': 'hearth',
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    ...(secret === null ? {} : { 'webhook-signature': signWebhook(secret, id, timestamp, body) }),
  };
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const status = await new Promise<number>((resolve, reject) => {
    const options = { method: 'POST', lookup: addresses.lookupFor(url), agent: false, signal: AbortSignal.any([ending, timeout]), headers };
    const sent = request(url, options, (response) => {
      // The answer's body is of no interest, and of any length.
      response.destroy();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', (error) => reject(timeout.aborted ? new Error(`no answer within ${TIMEOUT_MS / 1000} s`) : error));
    sent.end(body);
  });
  if (status === 410) throw new DeliveryRefused('it answered 410: gone for good');
  if (status < 200 || status > 299) throw new Error(`it answered ${status}`);
}
