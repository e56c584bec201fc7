import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FrontProxy } from '../../support/front-proxy.ts';
import { until } from '../../support/hearth.ts';

/** What a balancer sees of a node: a gateway that says 204 to `OPTIONS *`, or 503 while it drains, and answers with its name. */
class Node {
  readonly name: string;
  readonly received: string[] = [];
  /** Of calls that are to be answered only when the test says so. */
  readonly held: ServerResponse[] = [];
  behaviour: 'answers' | 'drains' | 'holds' | 'breaks' = 'answers';
  #port = 0;
  #server: Server | null = null;

  constructor(name: string) {
    this.name = name;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    this.#server = createServer((request, response) => this.#answer(request, response)).listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** As `kill -9` of a node looks from outside: nobody listens, connections are gone. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    this.#server?.closeAllConnections();
    await closed;
  }

  release(): void {
    for (const response of this.held.splice(0)) response.end(this.name);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    if (this.behaviour === 'drains') {
      response.writeHead(503, { 'Retry-After': '5' }).end('draining');
    } else if (request.url === '*') {
      response.writeHead(204).end();
    } else {
      this.received.push(`${request.method} ${request.url}`);
      if (this.behaviour === 'breaks') request.socket.destroy();
      else if (this.behaviour === 'holds') this.held.push(response);
      else response.end(this.name);
    }
  }
}

describe.each(['balancers/haproxy.cfg', 'balancers/nginx.conf'])('deploy/%s', (sample) => {
  const nodes = ['one', 'two', 'three'].map((name) => new Node(name));
  const kinds = Array.from({ length: 40 }, (_, index) => `/api/kind-${index}`);
  let proxy: FrontProxy;
  beforeAll(async () => {
    await Promise.all(nodes.map((node) => node.start()));
    proxy = await FrontProxy.start(
      sample,
      nodes.map(({ url }) => url),
    );
  });
  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await Promise.all(nodes.map((node) => node.stop()));
  });

  /** @returns the node's name, or the status that isn't 200, or `closed`: HAProxy may end a connection that it has used before in place of 502 */
  async function call(path: string, method = 'GET'): Promise<string> {
    const response = await fetch(`${proxy.url}${path}`, { method }).catch(() => null);
    const text = await response?.text();
    return response === null || text === undefined ? 'closed' : response.status === 200 ? text : `${response.status}`;
  }
  async function places(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const kind of kinds) found.set(kind, await call(kind));
    return found;
  }
  const named = (name: string | undefined): Node => nodes.find((node) => node.name === name) as Node;
  const pathOn = (map: Map<string, string>, node: Node): string => [...map].find(([, name]) => name === node.name)?.[0] as string;

  it('sends paths of one kind to one node, whatever follows, and kinds to all nodes', async () => {
    const before = await places();
    for (const [kind, name] of [...before].slice(0, 6)) {
      for (const rest of ['/1', '/2/photos', '?page=3', '/1?page=3']) expect(await call(kind + rest), kind + rest).toBe(name);
      expect(await call(`${kind}/1`, 'POST')).toBe(name);
    }
    expect(new Set(before.values())).toEqual(new Set(['one', 'two', 'three']));
  });

  it('takes what a node has not been sent to another one, moves nothing else, and goes back', async () => {
    const before = await places();
    const [gone] = nodes as [Node];
    await gone.stop();
    // At once, before any check: nobody has been sent it, so that a POST goes over too.
    expect(await call(pathOn(before, gone), 'POST')).toMatch(/^(two|three)$/);
    const meanwhile = await places();
    for (const [kind, name] of before) {
      if (name === gone.name) expect(meanwhile.get(kind)).toMatch(/^(two|three)$/);
      else expect(meanwhile.get(kind), kind).toBe(name);
    }
    await gone.start();
    await until(async () => (await call(pathOn(before, gone))) === gone.name);
    expect(await places()).toEqual(before);
  });

  it('does not repeat a call that may have run, unless it is idempotent', async () => {
    const before = await places();
    const node = named('two');
    const path = pathOn(before, node);
    node.behaviour = 'breaks';
    for (const { received } of nodes) received.length = 0;
    expect(await call(`${path}/1`, 'POST')).toMatch(/^(502|closed)$/);
    expect(nodes.flatMap(({ received }) => received)).toEqual([`POST ${path}/1`]);
    await until(async () => /^(one|three)$/.test(await call(`${path}/1`)));
    node.behaviour = 'answers';
    await until(async () => (await call(path)) === node.name);
  });

  // nginx knows neither draining nor bounded loads.
  if (!sample.endsWith('.cfg')) return;

  it('leaves out a node that drains, which still ends what it is at', async () => {
    const before = await places();
    const node = named('three');
    const path = pathOn(before, node);
    node.behaviour = 'holds';
    const underWay = call(path, 'POST');
    await until(() => node.held.length > 0);
    node.behaviour = 'drains';
    await until(async () => /^(one|two)$/.test(await call(path, 'POST')));
    node.release();
    expect(await underWay).toBe('three');
    node.behaviour = 'answers';
    await until(async () => (await call(path)) === 'three');
  });

  it('lets no node have more than twice the average', async () => {
    const path = pathOn(await places(), named('one'));
    for (const node of nodes) node.behaviour = 'holds';
    const calls = Array.from({ length: 12 }, () => call(path));
    await until(() => nodes.reduce((sum, { held }) => sum + held.length, 0) === calls.length);
    expect(Math.max(...nodes.map(({ held }) => held.length))).toBeLessThanOrEqual(8);
    for (const node of nodes) {
      node.behaviour = 'answers';
      node.release();
    }
    expect((await Promise.all(calls)).filter((name) => name === 'one').length).toBeGreaterThanOrEqual(6);
  });
});
