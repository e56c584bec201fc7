import type { FunctionVersion } from '../schemas/function.ts';
import { type HttpKey, parseEventKey, type Segment } from './event-key.ts';
import type { VersionChooser } from './version-chooser.ts';

/** What a request leads to. */
export type RouteMatch =
  | { kind: 'found'; targets: readonly RouteTarget[] }
  /** The path has functions, none for this method. */
  | { kind: 'other_methods'; allow: readonly string[] }
  | { kind: 'none' };

export interface RouteTarget {
  /** The current one; `chooseVersions` tells which a call gets. */
  version: FunctionVersion;
  /** Only of a function whose calls are split between versions. */
  chooser: VersionChooser | null;
  params: Readonly<Record<string, string>>;
}

interface Leaf {
  /** By method; `*` is every method. */
  verbs: Map<string, Target[]>;
}

/** With the names of the path's parameters in their order; functions on one path may name them differently. */
interface Target extends RouteTarget {
  names: readonly string[];
}

interface Node {
  literals: Map<string, Node>;
  param: Node | undefined;
  rest: Leaf | undefined;
  leaf: Leaf | undefined;
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({});
const NONE: RouteMatch = { kind: 'none' };

/**
 * From method and canonical path to function versions. Exact paths are looked up first, in one step; then a tree in which at every segment a literal
 * is preferred to a `:name`, and that to a trailing `*`. A more specific path that lacks the method doesn't hide a less specific one that has it.
 */
export class Router {
  readonly #exact = new Map<string, Leaf>();
  readonly #root: Node = createNode();
  /** By function name, to take out what a new version replaces. */
  readonly #current = new Map<string, FunctionVersion>();

  /** Adds a function, or puts what is current now in the place of what was before, in one step. What is not called by HTTP has no place here. @throws HearthError invalid_request */
  put(version: FunctionVersion, chooser: VersionChooser | null = null): void {
    const key = parseEventKey(version.eventKey);
    const before = this.#current.get(version.functionName);
    if (before) this.remove(before.functionName);
    if (key.kind !== 'http') return;
    const names = key.segments.flatMap((segment) => (segment.kind === 'param' ? [segment.name] : segment.kind === 'rest' ? ['*'] : []));
    const leaf = this.#leafFor(key.path, key.segments);
    const targets = leaf.verbs.get(key.verb) ?? [];
    targets.push({ version, chooser, params: NO_PARAMS, names });
    leaf.verbs.set(key.verb, targets);
    this.#current.set(version.functionName, version);
  }

  remove(functionName: string): void {
    const version = this.#current.get(functionName);
    if (!version) return;
    this.#current.delete(functionName);
    // What isn't HTTP never gets into #current.
    const key = parseEventKey(version.eventKey) as HttpKey;
    const leaf = this.#leafFor(key.path, key.segments);
    const left = (leaf.verbs.get(key.verb) ?? []).filter((target) => target.version.functionName !== functionName);
    if (left.length > 0) leaf.verbs.set(key.verb, left);
    else leaf.verbs.delete(key.verb);
    if (leaf.verbs.size > 0) return;
    this.#exact.delete(key.path);
    prune(this.#root, key.segments, 0);
  }

  /**
   * @param path canonical, without query
   * HEAD is answered by the functions of GET when it has none of its own (RFC 9110 §9.3.2).
   */
  match(verb: string, path: string): RouteMatch {
    const exact = this.#exact.get(path);
    if (exact) {
      const targets = targetsOf(exact, verb);
      if (targets) return found(targets, []);
    }
    const values: string[] = [];
    const allow = new Set<string>();
    if (exact) collect(exact, allow);
    const targets = matchNode(this.#root, path.slice(1).split('/'), 0, verb, values, allow);
    if (targets) return found(targets, values);
    if (allow.size === 0) return NONE;
    if (allow.has('GET')) allow.add('HEAD');
    return { kind: 'other_methods', allow: [...allow].sort() };
  }

  #leafFor(path: string, segments: readonly Segment[]): Leaf {
    if (segments.every((segment) => segment.kind === 'literal')) {
      let leaf = this.#exact.get(path);
      if (!leaf) {
        leaf = { verbs: new Map() };
        this.#exact.set(path, leaf);
      }
      return leaf;
    }
    let node = this.#root;
    for (const segment of segments) {
      if (segment.kind === 'rest') {
        node.rest ??= { verbs: new Map() };
        return node.rest;
      }
      if (segment.kind === 'param') {
        node.param ??= createNode();
        node = node.param;
      } else {
        let next = node.literals.get(segment.text);
        if (!next) {
          next = createNode();
          node.literals.set(segment.text, next);
        }
        node = next;
      }
    }
    node.leaf ??= { verbs: new Map() };
    return node.leaf;
  }
}

/** Takes out what is empty along a path. @returns whether the node itself is empty now */
function prune(node: Node, segments: readonly Segment[], at: number): boolean {
  const segment = segments[at];
  if (segment === undefined) {
    if (node.leaf?.verbs.size === 0) node.leaf = undefined;
  } else if (segment.kind === 'rest') {
    if (node.rest?.verbs.size === 0) node.rest = undefined;
  } else {
    const next = segment.kind === 'param' ? node.param : node.literals.get(segment.text);
    if (next && prune(next, segments, at + 1)) {
      if (segment.kind === 'param') node.param = undefined;
      else node.literals.delete(segment.text);
    }
  }
  return node.literals.size === 0 && !node.param && !node.rest && !node.leaf;
}

function createNode(): Node {
  return { literals: new Map(), param: undefined, rest: undefined, leaf: undefined };
}

function targetsOf(leaf: Leaf, verb: string): readonly Target[] | undefined {
  return leaf.verbs.get(verb) ?? leaf.verbs.get('*') ?? (verb === 'HEAD' ? leaf.verbs.get('GET') : undefined);
}

function collect(leaf: Leaf, allow: Set<string>): void {
  for (const verb of leaf.verbs.keys()) allow.add(verb);
}

function matchNode(
  node: Node,
  parts: readonly string[],
  at: number,
  verb: string,
  values: string[],
  allow: Set<string>,
): readonly Target[] | undefined {
  if (at === parts.length) return node.leaf && take(node.leaf, verb, allow);
  const part = parts[at] as string;
  const literal = node.literals.get(part);
  const viaLiteral = literal && matchNode(literal, parts, at + 1, verb, values, allow);
  if (viaLiteral) return viaLiteral;
  if (node.param && part !== '') {
    values.push(part);
    const viaParam = matchNode(node.param, parts, at + 1, verb, values, allow);
    if (viaParam) return viaParam;
    values.pop();
  }
  if (node.rest) {
    const viaRest = take(node.rest, verb, allow);
    if (viaRest) {
      values.push(parts.slice(at).join('/'));
      return viaRest;
    }
  }
  return undefined;
}

function take(leaf: Leaf, verb: string, allow: Set<string>): readonly Target[] | undefined {
  const targets = targetsOf(leaf, verb);
  if (!targets) collect(leaf, allow);
  return targets;
}

function found(targets: readonly Target[], values: readonly string[]): RouteMatch {
  if (values.length === 0) return { kind: 'found', targets };
  return {
    kind: 'found',
    targets: targets.map(({ version, chooser, names }) => ({
      version,
      chooser,
      params: Object.fromEntries(names.map((name, index) => [name, decode(values[index] ?? '')])),
    })),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Percent-encoded bytes that are no UTF-8: the function gets them as they came.
    return text;
  }
}
