import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

export interface ChannelDoor {
  /** The folder with the socket and the files, to be mounted. */
  folder: string;
  /** The sandbox's connection. Rejects when the door is shut before it came. */
  connection: Promise<Socket>;
  /** Removes folder and socket; what was mounted of it stays where it is mounted. Calling it again does nothing more. */
  shut(): Promise<void>;
}

/** Name of the socket in its folder. */
export const SOCKET_NAME = 'channel';
/** Bytes that the path of a unix socket may have on Linux, with its final zero: sun_path of unix(7). */
const LONGEST_PATH = 107;

/**
 * Listens on a socket in a folder of this sandbox alone, for one connection. The folder lies below one that only the platform (and root) may enter; a container that
 * it is mounted into sees it from inside.
 * @param parent an existing folder
 * @param files small files that lie beside the socket; name → content
 */
export async function openChannelDoor(parent: string, files: Readonly<Record<string, string>>): Promise<ChannelDoor> {
  const folder = join(parent, randomUUID());
  const server = createServer();
  const arrived = Promise.withResolvers<Socket>();
  arrived.promise.catch(() => undefined);
  let shutting: Promise<void> | undefined;
  let handle: FileHandle | undefined;
  const shut = () => {
    shutting ??= (async () => {
      arrived.reject(new Error('the sandbox did not connect'));
      // Unlinks the socket by the name that it was bound to: the descriptor in it must still be the folder's. The connection lives on.
      server.close();
      await handle?.close();
      await rm(folder, { recursive: true, force: true });
    })();
    return shutting;
  };
  server.maxConnections = 1;
  server.once('connection', (socket) => {
    socket.on('error', () => undefined);
    arrived.resolve(socket);
    void shut();
  });
  server.on('error', (error) => arrived.reject(error));
  try {
    await mkdir(folder, { mode: 0o755 });
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content, { mode: 0o444 });
    // Socket paths are short and data folders need not be: then the way leads through a descriptor of the folder.
    if (Buffer.byteLength(join(folder, SOCKET_NAME)) > LONGEST_PATH) handle = await open(folder);
    await listen(server, join(handle === undefined ? folder : `/proc/self/fd/${handle.fd}`, SOCKET_NAME));
  } catch (error) {
    await shut();
    throw error;
  }
  return { folder, connection: arrived.promise, shut };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Whoever gets as far as the folder is the sandbox, whatever its user id.
    server.listen({ path, readableAll: true, writableAll: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
