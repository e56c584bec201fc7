import { describe, expect, it } from 'vitest';

// The agent is JavaScript of its own, which the platform's types know nothing of.
const REQUEST = new URL('../../../runtimes/node/agent/request.mjs', import.meta.url).href;
const { scriptEnvironment } = await import(REQUEST);

describe('the environment of a script', () => {
  const invoke = { path: '/a', verb: 'GET', query: '', rawPath: '/a', scriptBody: null };
  const of = (headers: string[]) => scriptEnvironment({ ...invoke, headers }, Buffer.alloc(0));

  it('names the trace as OpenTelemetry does, when there is one', () => {
    expect(of(['Traceparent', '00-1', 'TRACESTATE', 'a=1'])).toMatchObject({ TRACEPARENT: '00-1', TRACESTATE: 'a=1' });
    expect(Object.keys(of(['A', 'b']))).toEqual(['HTTP_HEADER', 'HTTP_BODY', 'HTTP_PATH', 'HTTP_VERB', 'HTTP_QUERY', 'HTTP_TARGET']);
  });
});
