import type { Hearth } from '../../support/hearth.ts';

/** What the mirror function saw of a request. */
export interface Seen {
  verb: string;
  path: string;
  rawPath: string;
  headers: Record<string, string>;
  /** As Latin-1. */
  body: string;
}

const MIRROR = `
seen = []
def handler(m, c):
    if m["path"] == "/mirror-log":
        log = list(seen)
        seen.clear()
        return {"seen": log}
    one = {"verb": m["verb"], "path": m["path"], "rawPath": m["raw_path"], "headers": dict(m["headers"]), "body": (m["raw_body"] or b"").decode("latin-1")}
    seen.append(one)
    return one
`;

/** A function on every path that tells what reached it and keeps a log of it; one instance, so that there is one log. */
export async function defineMirror(hearth: Hearth): Promise<void> {
  await hearth.register({ event_type: 'http|*|/*', function_name: 'mirror', function_code: MIRROR, max_instances: 1 });
}

/** What has reached it since this was asked last. */
export async function reachedMirror(hearth: Hearth): Promise<Seen[]> {
  const response = await hearth.call('/mirror-log');
  return ((await response.json()) as { seen: Seen[] }).seen;
}
