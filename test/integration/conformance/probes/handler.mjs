// The probe as a handler in Node.js.

import { bodyOf, dataOf, grouped, obey, orderOf, piecesOf, surroundings } from './common.mjs';

export const handler = async (message, context) => {
  const headers = Object.entries(message.headers);
  const order = orderOf(headers);
  await obey(order);
  if (order.act === 'invoke') return context.invoke(order.function, order.payload);
  if (order.act === 'answer') {
    if ('value' in order) return order.value;
    if ('pieces' in order) return piecesOf(order)[Symbol.iterator]();
    if (Object.keys(order).join() === 'act,text') return order.text;
    const data = order.text ?? dataOf(order);
    return { statusCode: order.status ?? 200, headers: grouped(order.headers ?? []), ...(data.length > 0 ? { body: data } : {}) };
  }
  if (order.act !== 'report') return 'done';
  return {
    ...surroundings(),
    method: message.verb,
    path: message.path,
    target: message.raw_path,
    query: message.raw_path.split('?')[1] ?? '',
    queries: message.query_all,
    headers,
    params: message.params,
    body: bodyOf(message.raw_body),
    parsed: message.raw_body.length < 4096 ? message.body : null,
    deadline: context.deadline * 1000,
    name: context.function_name,
    secret: context.secrets.API_TOKEN,
  };
};
