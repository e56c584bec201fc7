import { createServer } from 'node:http';

/** The bare minimum on node:http: reads the body, answers JSON. Argument: the port. */
createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    const { name } = JSON.parse(Buffer.concat(pieces).toString('utf8')) as { name: string };
    const body = JSON.stringify({ hello: name });
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
    response.end(body);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
