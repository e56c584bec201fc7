import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { TOKEN_BYTES } from './control.ts';

/** Token, then one byte that says which of the three it is. */
const HEADER_BYTES = TOKEN_BYTES + 1;
/** Milliseconds that a connection may take to say whose it is. */
const PATIENCE_MS = 10_000;

/** A new sandbox's three connections; the channel has its first byte after the header, or has ended. */
export interface Connections {
  channel: Socket;
  stdout: Socket;
  stderr: Socket;
}

type Waiting = { parts: Array<Socket | undefined>; resolve: (connections: Connections) => void };

/**
 * The unix socket at which newborn sandboxes say who they are. Its file exists until the zygote holds it by a mount of its own; from
 * then on no path on the host leads to it.
 */
export class Door {
  readonly path: string;
  readonly #server: Server;
  readonly #waiting = new Map<string, Waiting>();
  readonly #unknown = new Set<Socket>();

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
    server.on('connection', (socket) => this.#greet(socket));
  }

  /** `uid`: the only user who may connect; undefined: we ourselves. Rejects when the folder takes no socket. */
  static async open(folder: string, uid: number | undefined): Promise<Door> {
    const path = join(folder, `hearth-${randomUUID().slice(0, 8)}`);
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    const door = new Door(path, server);
    try {
      // Others may see it, as the launcher demands of what it mounts, but connecting takes the right to write.
      chmodSync(path, 0o604);
      if (uid !== undefined) chownSync(path, uid, uid);
    } catch (error) {
      door.close();
      throw error;
    }
    return door;
  }

  /** Takes the file away; who has the socket mounted reaches it still. */
  hide(): void {
    try {
      unlinkSync(this.path);
    } catch {
      // Gone already.
    }
  }

  /** Resolves with the connections that bring this token (hexadecimal digits). Stays pending until `forget` otherwise. */
  expect(token: string): Promise<Connections> {
    return new Promise((resolve) => this.#waiting.set(token, { parts: [], resolve }));
  }

  /** Closes what has come for the token, if it is still expected. Standard error is left open: it may say why. */
  forget(token: string): void {
    const waiting = this.#waiting.get(token);
    this.#waiting.delete(token);
    for (const socket of waiting?.parts ?? []) socket?.destroy();
  }

  /** What standard error has said of a sandbox that is still expected. */
  complaint(token: string): string {
    const stderr = this.#waiting.get(token)?.parts[2];
    const said: Buffer | null | undefined = stderr?.read();
    return said?.toString().trim() ?? '';
  }

  close(): void {
    this.#server.close();
    this.hide();
    for (const socket of this.#unknown) socket.destroy();
    for (const token of this.#waiting.keys()) this.forget(token);
  }

  #greet(socket: Socket): void {
    this.#unknown.add(socket);
    // Whoever uses it sees it end; without a listener its reset would take the platform down.
    socket.on('error', () => undefined);
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    socket.once('close', () => this.#unknown.delete(socket));
    const onReadable = () => {
      if (socket.readableLength < HEADER_BYTES) return;
      socket.off('readable', onReadable);
      socket.setTimeout(0);
      this.#unknown.delete(socket);
      this.#admit(socket, socket.read(HEADER_BYTES));
    };
    socket.on('readable', onReadable);
  }

  #admit(socket: Socket, header: Buffer): void {
    const token = header.toString('hex', 0, TOKEN_BYTES);
    const role = header.readUInt8(TOKEN_BYTES);
    const waiting = this.#waiting.get(token);
    if (waiting === undefined || role > 2 || waiting.parts[role] !== undefined) {
      socket.destroy();
      return;
    }
    waiting.parts[role] = socket;
    const [channel, stdout, stderr] = waiting.parts;
    if (channel === undefined || stdout === undefined || stderr === undefined) return;
    this.#waiting.delete(token);
    waiting.resolve({ channel, stdout, stderr });
  }
}
