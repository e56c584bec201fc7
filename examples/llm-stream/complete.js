// Streams an answer token by token as server-sent events, in the Web standard's style.
import { setTimeout as sleep } from 'node:timers/promises';
import { tokens } from './markov.js';

const MAX_TOKENS = 500;
/** Models take their time for each token. */
const TOKEN_MS = Number(process.env.TOKEN_MS);

export default {
  async fetch(request) {
    const { prompt, max_tokens: count = 50, seed = Date.now() } = (await request.json().catch(() => null)) ?? {};
    if (typeof prompt !== 'string' || prompt.length > 1000) return refuse('prompt: a text of 1000 characters at most');
    if (!Number.isInteger(count) || count < 1 || count > MAX_TOKENS) return refuse(`max_tokens: 1 to ${MAX_TOKENS}`);
    if (!Number.isSafeInteger(seed)) return refuse('seed: a whole number');
    const body = ReadableStream.from(events(tokens(prompt, count, seed), request.signal)).pipeThrough(new TextEncoderStream());
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' } });
  },
};

async function* events(tokens, signal) {
  for (const token of tokens) {
    // It ends when the caller has left: nobody pays for tokens that nobody reads.
    await sleep(TOKEN_MS, undefined, { signal });
    yield `data: ${JSON.stringify({ token })}\n\n`;
  }
  // An end that can be told from a connection that broke.
  yield 'data: [DONE]\n\n';
}

const refuse = (error) => Response.json({ error }, { status: 422 });
