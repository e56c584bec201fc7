// What stands in for Slack when there is none: prints what is posted to it. Usage: node stand-in.mjs PORT
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

createServer(async (request, response) => {
  console.log(`${request.url} ${await text(request)}`);
  response.end('ok');
}).listen(Number(process.argv[2]), '127.0.0.1');
