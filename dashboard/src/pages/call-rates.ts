export interface Counted {
  /** Milliseconds, of the browser's own clock. */
  at: number;
  /** Calls that ended since the platform began, by function. */
  calls: ReadonlyMap<string, number>;
  failures: ReadonlyMap<string, number>;
}

export interface Rate {
  callsPerS: number;
  failuresPerS: number;
}

/** Calls by function out of the text of `/metrics`. */
export function readCounts(text: string, at: number): Counted {
  const calls = new Map<string, number>();
  const failures = new Map<string, number>();
  const add = (to: Map<string, number>, name: string, more: number) => to.set(name, (to.get(name) ?? 0) + more);
  for (const [, labels = '', value] of text.matchAll(/^faas_invocations_total\{(.*)\} (\S+)$/gm)) {
    const name = /faas_name="([^"]*)"/.exec(labels)?.[1];
    if (name === undefined) continue;
    add(calls, name, Number(value));
    if (/outcome="(failed|timed_out)"/.test(labels)) add(failures, name, Number(value));
  }
  return { at, calls, failures };
}

/** What has come since; undefined when there is nothing to compare with. */
export function rateOf(name: string, before: Counted | undefined, now: Counted): Rate | undefined {
  const seconds = (now.at - (before?.at ?? now.at)) / 1000;
  if (before === undefined || seconds <= 0) return undefined;
  const grown = (which: 'calls' | 'failures') => Math.max(0, (now[which].get(name) ?? 0) - (before[which].get(name) ?? 0)) / seconds;
  return { callsPerS: grown('calls'), failuresPerS: grown('failures') };
}
