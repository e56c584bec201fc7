// The probe as an HTTP server in Node.js.

import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { bodyOf, dataOf, grouped, obey, orderOf, piecesOf, surroundings } from './common.mjs';

createServer(async (request, response) => {
  const pairs = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) pairs.push([request.rawHeaders[at], request.rawHeaders[at + 1]]);
  const data = await buffer(request);
  const order = orderOf(pairs);
  await obey(order);
  const json = { 'Content-Type': 'application/json' };
  if (order.act === 'report') {
    const url = new URL(request.url, 'http://localhost');
    const seen = {
      ...surroundings(),
      method: request.method,
      path: request.url.split('?')[0],
      target: request.url,
      query: request.url.split('?')[1] ?? '',
      queries: grouped(url.searchParams),
      headers: pairs,
      params: null,
      body: bodyOf(data),
      parsed: null,
      deadline: null,
      name: null,
      secret: process.env.API_TOKEN,
    };
    response.writeHead(200, json).end(JSON.stringify(seen));
  } else if ('value' in order) response.writeHead(200, json).end(JSON.stringify(order.value));
  else if ('pieces' in order) {
    response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
    for (const piece of piecesOf(order)) response.write(piece);
    response.end();
  } else {
    const { status = 200, headers = [['Content-Type', 'text/plain; charset=utf-8']] } = order;
    const answer = dataOf(order);
    const length = status === 204 || status === 304 ? [] : ['Content-Length', answer.length];
    response.writeHead(status, [...headers.flat(), ...length]).end(answer);
  }
}).listen(process.env.PORT, '127.0.0.1');
