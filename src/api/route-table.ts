import type { RouteOptions } from 'fastify';

/** Which methods each URL has: for Allow, OPTIONS and 405, which Fastify leaves to its users. */
export class RouteTable {
  readonly #methods = new Map<string, Set<string>>();

  /** For Fastify's `onRoute` hook. */
  add(route: Pick<RouteOptions, 'url' | 'method'>): void {
    // Routes of one URL may name its parameters differently.
    const pattern = route.url.replace(/:[^/]+/g, ':');
    const methods = this.#methods.get(pattern) ?? new Set();
    this.#methods.set(pattern, methods);
    for (const method of [route.method].flat()) methods.add(method);
  }

  /** The methods of the pattern that fits best, a static segment before a parameter; undefined when none fits. */
  methodsOf(url: string): string[] | undefined {
    const segments = (url.split('?', 1)[0] ?? '').split('/');
    let best: { methods: Set<string>; parameters: number } | undefined;
    for (const [pattern, methods] of this.#methods) {
      const parts = pattern.split('/');
      if (parts.length !== segments.length) continue;
      if (!parts.every((part, index) => part === segments[index] || (part === ':' && segments[index] !== ''))) continue;
      const parameters = parts.filter((part) => part === ':').length;
      if (best === undefined || parameters < best.parameters) best = { methods, parameters };
    }
    return best === undefined ? undefined : [...best.methods].sort();
  }
}
