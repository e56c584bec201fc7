// Publishes an order and prints the answer. Usage: node publish.mjs amqp://user:password@host:5672 ORDER
import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';

const [url, order] = process.argv.slice(2);
const connection = await connect(url);
const channel = await connection.createConfirmChannel();
const answer = new Promise((resolve, reject) => {
  // RabbitMQ's own queue for answers: nothing to declare, nothing to delete.
  channel.consume('amq.rabbitmq.reply-to', (message) => resolve(message.content.toString()), { noAck: true }).catch(reject);
  channel.on('return', () => reject(new Error('there is no queue `orders`')));
});
channel.sendToQueue('orders', Buffer.from(order), {
  messageId: randomUUID(),
  correlationId: randomUUID(),
  replyTo: 'amq.rabbitmq.reply-to',
  persistent: true,
  mandatory: true,
});
console.log(await answer);
await connection.close();
