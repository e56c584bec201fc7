// A chat: who opens a WebSocket at /chat/ROOM?name=NAME hears what is said in the room.
import { readFileSync } from 'node:fs';

const PAGE = readFileSync(new URL('page.html', import.meta.url), 'utf8');
const WORD = /^[\w-]{1,20}$/;
/** Below the pause after which the gateway takes a connection for idle. */
const PING_MS = 30_000;
/** Messages that a guest may lag behind. */
const MAX_UNSENT = 100;

/** The guests of each room. */
const rooms = new Map();

export const handler = async ({ websocket, params: { room }, query: { name }, headers }) => {
  // The same path for browsers that come to look.
  if (websocket === null) return { statusCode: 200, headers: { 'Content-Type': 'text/html; charset=utf-8' }, body: PAGE };
  // Browsers let the pages of all sites open WebSockets, and say which one it is.
  const { origin, host } = Object.fromEntries(new Headers(headers));
  if (origin !== undefined && URL.parse(origin)?.host !== host) return { statusCode: 403, body: { error: 'not from other pages' } };
  if (!WORD.test(room) || !WORD.test(name ?? '')) return { statusCode: 400, body: { error: 'room and name: 1 to 20 letters, digits, _ and -' } };

  const guest = { socket: websocket.accept({ maxMessageBytes: 1000 }), unsent: 0 };
  const guests = rooms.get(room) ?? new Set();
  rooms.set(room, guests.add(guest));
  const timer = setInterval(() => guest.socket.ping(), PING_MS);
  try {
    for await (const text of guest.socket) {
      if (typeof text === 'string') for (const one of guests) tell(one, `${name}: ${text}`);
    }
  } finally {
    // However it ends: the guest has left, or is gone.
    clearInterval(timer);
    guests.delete(guest);
    if (guests.size === 0) rooms.delete(room);
  }
};

/** Not awaited: one who reads slowly must not hold up the others, and is shown the door when too much lies unread. */
function tell(guest, text) {
  if (guest.unsent === MAX_UNSENT) return void guest.socket.close(1008, 'too slow');
  guest.unsent++;
  const done = () => guest.unsent--;
  guest.socket.send(text).then(done, done);
}
