// The probe in the style of the Web standard.

import { bodyOf, dataOf, grouped, obey, orderOf, piecesOf, surroundings } from './common.mjs';

export default {
  async fetch(request, context) {
    const headers = [...request.headers];
    const order = orderOf(headers);
    await obey(order);
    if (order.act === 'invoke') return Response.json(await context.invoke(order.function, order.payload));
    if (order.act === 'answer') {
      if ('value' in order) return Response.json(order.value);
      if ('pieces' in order) return new Response(ReadableStream.from(piecesOf(order).map((piece) => new TextEncoder().encode(piece))));
      if ('text' in order && order.headers === undefined) return new Response(order.text, { status: order.status });
      const data = dataOf(order);
      return new Response(data.length > 0 ? data : null, { status: order.status, headers: order.headers });
    }
    if (order.act !== 'report') return new Response('done');
    const url = new URL(request.url);
    return Response.json({
      ...surroundings(),
      method: request.method,
      path: url.pathname,
      target: url.pathname + url.search,
      query: url.search.slice(1),
      queries: grouped(url.searchParams),
      headers,
      params: context.params ?? null,
      body: bodyOf(Buffer.from(await request.arrayBuffer())),
      parsed: null,
      deadline: context.deadline * 1000,
      name: context.function_name,
      secret: context.secrets.API_TOKEN,
    });
  },
};
