// Where links are kept, for both functions.
import { createClient } from 'redis';

const KEEP_S = 365 * 24 * 3600;

const client = createClient({ socket: { host: 'cache_service' } });
// Without a listener the first lost connection would end the process. It connects anew by itself, and commands wait for that, until `timeout_ms` at most.
client.on('error', (error) => console.error(`Redis: ${error.message}`));
client.connect().catch(() => undefined);

/** @returns whether the id was free */
export async function put(id, url) {
  // NX: one step, so that of two that draw the same id one is told.
  return (await client.set(`link:${id}`, url, { condition: 'NX', expiration: { type: 'EX', value: KEEP_S } })) === 'OK';
}

/** @returns the URL, or null */
export const get = (id) => client.get(`link:${id}`);
