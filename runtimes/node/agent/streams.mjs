// The tunnel: connections to the addresses of the reply endpoint and of services inside the sandbox, carried over the channel as streams.

import { createServer } from 'node:net';
import { encode, encodeJson, FRAME } from './frames.mjs';

/** Of services, each way. */
const WINDOW = 262_144;
/** What is read of a connection at a time, at most. */
const READ_BYTES = 65_536;
/** A client of the reply endpoint that doesn't read is closed above this many waiting bytes. */
const MAX_UNREAD = 4 * 1024 * 1024;

const TYPES = new Set([FRAME.streamData, FRAME.streamClose, FRAME.streamEnd, FRAME.streamCredit]);

class Connection {
  constructor(socket, id, service) {
    this.socket = socket;
    this.id = id;
    /** Its name; null: the reply endpoint. */
    this.service = service;
    /** StreamClose was sent, or came: nothing with this id is sent any more. */
    this.closed = false;
    /** Sent to the platform and not credited. */
    this.onTheWay = 0;
    /** Written to the client and not told yet. */
    this.delivered = 0;
    this.endedByClient = false;
    this.endedByPlatform = false;
  }
}

export class Tunnel {
  #channel;
  #connections = new Map();
  #next = 1;
  #paused = false;

  constructor(channel) {
    this.#channel = channel;
  }

  /** Resolves once it listens. @param where {host, port}; service null: the reply endpoint */
  listen({ host, port }, service) {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: service !== null, noDelay: true }, (socket) => this.#accept(socket, service));
      server.once('error', (error) => reject(new Error(`can't listen on ${host}:${port} inside the sandbox: ${error.message}`)));
      server.listen(port, host, 128, () => {
        server.unref();
        resolve();
      });
    });
  }

  /** A frame from the platform. @returns false when it is about something else */
  take(type, id, payload) {
    if (!TYPES.has(type)) return false;
    const connection = this.#connections.get(id);
    // It is gone here already.
    if (connection === undefined) return true;
    if (type === FRAME.streamData) this.#deliver(connection, Buffer.from(payload));
    else if (type === FRAME.streamCredit) this.#credit(connection, payload.readUInt32BE(0));
    else if (type === FRAME.streamEnd) {
      connection.endedByPlatform = true;
      connection.socket.end();
    } else {
      connection.closed = true;
      this.#connections.delete(id);
      connection.socket.destroySoon();
    }
    return true;
  }

  #accept(socket, service) {
    const connection = new Connection(socket, this.#next++, service);
    const { id } = connection;
    this.#connections.set(id, connection);
    this.#channel.send(service === null ? encode(FRAME.streamOpen, id) : encodeJson(FRAME.streamOpen, id, { service }));
    socket.on('data', (chunk) => this.#send(connection, chunk));
    socket.on('end', () => {
      if (service === null || connection.closed) return;
      connection.endedByClient = true;
      this.#channel.send(encode(FRAME.runtimeStreamEnd, id));
    });
    // Whoever connected hears of it.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#connections.delete(id);
      const isOver = connection.endedByClient && connection.endedByPlatform;
      if (!connection.closed && !isOver) this.#channel.send(encode(FRAME.runtimeStreamClose, id));
    });
    if (this.#paused) socket.pause();
  }

  #send(connection, chunk) {
    if (connection.closed) return;
    const ready = this.#channel.send(encode(FRAME.runtimeStreamData, connection.id, chunk));
    if (connection.service !== null) {
      connection.onTheWay += chunk.length;
      if (WINDOW - connection.onTheWay < READ_BYTES) connection.socket.pause();
    }
    if (!ready) this.#pauseAll();
  }

  #credit(connection, bytes) {
    connection.onTheWay -= bytes;
    if (!this.#paused && WINDOW - connection.onTheWay >= READ_BYTES) connection.socket.resume();
  }

  #deliver(connection, data) {
    const { socket, service, id } = connection;
    socket.write(data, () => {
      if (service === null || connection.closed) return;
      connection.delivered += data.length;
      if (connection.delivered < WINDOW / 2) return;
      const credit = Buffer.alloc(4);
      credit.writeUInt32BE(connection.delivered);
      connection.delivered = 0;
      this.#channel.send(encode(FRAME.runtimeStreamCredit, id, credit));
    });
    if (service === null && socket.writableLength > MAX_UNREAD) socket.destroy();
  }

  /** The platform reads slowly: so do we. */
  #pauseAll() {
    if (this.#paused) return;
    this.#paused = true;
    for (const { socket } of this.#connections.values()) socket.pause();
    void this.#channel.drained().then(() => {
      this.#paused = false;
      for (const connection of this.#connections.values()) {
        if (connection.service === null || WINDOW - connection.onTheWay >= READ_BYTES) connection.socket.resume();
      }
    });
  }
}

/** A tunnel that listens where Load says; null when it names nothing. */
export async function openTunnel(channel, load) {
  const { streamListen = null, services = [] } = load;
  if (streamListen === null && services.length === 0) return null;
  const tunnel = new Tunnel(channel);
  if (streamListen !== null) await tunnel.listen(streamListen, null);
  for (const service of services) await tunnel.listen(service, service.name);
  return tunnel;
}
