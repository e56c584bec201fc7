// The server in Node.js that is measured.
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';

createServer(async (request, response) => {
  const { name } = await json(request);
  const body = JSON.stringify({ hello: name });
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }).end(body);
}).listen(process.env.PORT, '127.0.0.1');
