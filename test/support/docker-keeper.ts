import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { Docker } from './docker.ts';

/**
 * A program that has one Docker Engine for a whole run of tests: started when somebody first asks for it, taken down when the connection to its parent ends, in
 * whichever way that did. Its argument is the path of the socket on which it listens, in a folder that goes with it; who connects gets a line of JSON: `{socket}`, or `{error}`.
 */
const path = process.argv[2] as string;
let docker: Promise<Docker> | undefined;

const server = createServer((connection) => {
  connection.on('error', () => undefined);
  docker ??= Docker.start();
  docker.then(
    ({ socket }) => connection.end(JSON.stringify({ socket })),
    (error: Error) => connection.end(JSON.stringify({ error: error.message })),
  );
});
server.listen(path, () => process.send?.('listening'));

process.once('disconnect', async () => {
  server.close();
  await (await docker?.catch(() => undefined))?.[Symbol.asyncDispose]();
  await rm(dirname(path), { recursive: true, force: true });
});
