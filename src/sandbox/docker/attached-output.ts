import { type Duplex, PassThrough, type Readable } from 'node:stream';

const HEADER_BYTES = 8;
const STDERR = 2;

export interface AttachedOutput {
  stdout: Readable;
  stderr: Readable;
}

/**
 * Takes the frames apart in which the engine sends standard output and error of a container without a terminal: one byte for the stream, three zeros, the length
 * as u32 big-endian, and so many bytes (API reference, ContainerAttach). Both streams end with the connection.
 */
export function demultiplex(connection: Duplex): AttachedOutput {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  let header = Buffer.alloc(0);
  let left = 0;
  let stream = stdout;
  connection.on('data', (chunk: Buffer) => {
    let rest = chunk;
    while (rest.length > 0) {
      if (left > 0) {
        const taken = rest.subarray(0, left);
        left -= taken.length;
        rest = rest.subarray(taken.length);
        stream.write(taken);
        continue;
      }
      const needed = HEADER_BYTES - header.length;
      header = Buffer.concat([header, rest.subarray(0, needed)]);
      rest = rest.subarray(needed);
      if (header.length < HEADER_BYTES) break;
      stream = header.readUInt8(0) === STDERR ? stderr : stdout;
      left = header.readUInt32BE(4);
      header = Buffer.alloc(0);
    }
  });
  connection.on('error', () => undefined);
  connection.on('close', () => {
    stdout.end();
    stderr.end();
  });
  // The engine ends its half only.
  connection.on('end', () => connection.destroy());
  return { stdout, stderr };
}
