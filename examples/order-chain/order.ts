// Takes an order: asks the stock and waits for what it says, then has the mail sent without waiting.
import { type Handler, InvokeError, type Response } from '@hearth/sdk';

interface Order {
  item: string;
  count: number;
  mail: string;
}

export const handler: Handler<unknown, Response> = async (message, context) => {
  const order = message.body;
  if (!isOrder(order)) return { statusCode: 422, body: { error: 'an order is {"item": text, "count": 1 to 100, "mail": address}' } };
  const { item, count, mail } = order;
  let cents: number;
  try {
    ({ cents } = await context.invoke<{ cents: number }>('order-stock', { item, count }, { timeoutMs: 5000 }));
  } catch (error) {
    // What it refused, its own words; anything else is a failure of ours.
    if (error instanceof InvokeError && error.status === 409) return { statusCode: 409, body: error.body };
    throw error;
  }
  // On the disk before this returns: the order is taken, and the mail will be tried until it is sent or a dead letter.
  const id = await context.invoke('order-mail', { to: mail, text: `${count} × ${item}: ${(cents / 100).toFixed(2)}` }, { mode: 'async' });
  return { statusCode: 201, body: { cents, mail: id } };
};

function isOrder(value: unknown): value is Order {
  const { item, count, mail } = (value ?? {}) as Record<string, unknown>;
  if (typeof item !== 'string' || typeof mail !== 'string' || !/^[^@\s]+@[^@\s]+$/.test(mail)) return false;
  return Number.isInteger(count) && (count as number) >= 1 && (count as number) <= 100;
}
