// The script in Node.js that is measured: what echo.py is in Python.
import amqp from 'amqplib';

const headers = Object.fromEntries(process.env.HTTP_HEADER.split('\n').map((line) => line.split(': ')));
const queue = headers['X-Correlation-Id'];

const connection = await amqp.connect('amqp://message_queue', { noDelay: true });
const channel = await connection.createChannel();
await channel.assertQueue(queue);
channel.sendToQueue(queue, Buffer.from(JSON.stringify(JSON.parse(process.env.HTTP_BODY))));
await channel.close();
await connection.close();
