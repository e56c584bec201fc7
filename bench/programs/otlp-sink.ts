import { createServer } from 'node:http';

/** Takes what is exported to it and throws it away. GET tells how many bytes have come. Usage: otlp-sink.ts PORT */
let bytes = 0;
createServer((request, response) => {
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on('end', () => {
    response.writeHead(200, { 'Content-Type': request.method === 'GET' ? 'text/plain' : 'application/x-protobuf' });
    response.end(request.method === 'GET' ? String(bytes) : undefined);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
