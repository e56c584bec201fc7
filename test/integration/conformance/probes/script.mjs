// The probe as a script in Node.js, which answers by AMQP.

import amqp from 'amqplib';
import { bodyOf, dataOf, grouped, obey, orderOf, surroundings } from './common.mjs';

const pairs = process.env.HTTP_HEADER.split('\n').map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]);
const correlationId = pairs.find(([name]) => name.toLowerCase() === 'x-correlation-id')[1];

async function publish(body, options = {}) {
  const connection = await amqp.connect('amqp://message_queue');
  const channel = await connection.createChannel();
  channel.sendToQueue(correlationId, Buffer.from(body), options);
  await channel.close();
  await connection.close();
}

function report() {
  const text = process.env.HTTP_BODY;
  const parsed = JSON.parse(text).body;
  // A JSON body stands between `{"body": ` and `}` as it came.
  const data = Buffer.from(parsed === null ? '' : typeof parsed === 'string' ? parsed : text.slice('{"body": '.length, -1));
  return {
    ...surroundings(),
    method: process.env.HTTP_VERB,
    path: process.env.HTTP_PATH,
    target: process.env.HTTP_TARGET,
    query: process.env.HTTP_QUERY,
    queries: grouped(new URLSearchParams(process.env.HTTP_QUERY)),
    headers: pairs,
    params: null,
    body: bodyOf(data),
    parsed: data.length < 4096 ? parsed : null,
    deadline: null,
    name: null,
    secret: process.env.API_TOKEN,
  };
}

const order = orderOf(pairs);
await obey(order);
if (order.act === 'invoke') {
  const { invoke } = await import('@hearth/sdk');
  await publish(JSON.stringify(await invoke(order.function, order.payload)));
} else if (order.act === 'answer') {
  if ('value' in order) {
    // Without a message the answer is a 204.
    if (order.value !== null) await publish(JSON.stringify(order.value));
  } else {
    const { 'Content-Type': contentType, ...headers } = Object.fromEntries(order.headers ?? []);
    await publish(dataOf(order), { contentType, headers: { ...headers, Status: String(order.status ?? 200) } });
  }
} else await publish(order.act === 'report' ? JSON.stringify(report()) : 'done');
