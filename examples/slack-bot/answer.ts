// Rolls, and posts the result to the channel.
import { randomInt } from 'node:crypto';
import type { Handler } from '@hearth/sdk';

export interface Answer {
  /** Slack's `response_url`. It stood in a body that Slack has signed, so it is Slack's. */
  url: string;
  user: string;
  count: number;
  sides: number;
}

export const handler: Handler<Answer> = async ({ body: { url, user, count, sides } }, context) => {
  const dice = Array.from({ length: count }, () => randomInt(sides) + 1);
  const text = `${user} rolls ${count}d${sides}: ${dice.join(' + ')} = ${dice.reduce((sum, one) => sum + one)}`;
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ response_type: 'in_channel', text }),
    signal: context.signal,
  });
  // An exception is a failed attempt, and there is another one by `retry`.
  if (!response.ok) throw new Error(`Slack answered ${response.status}`);
};
