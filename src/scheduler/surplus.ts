import type { Instance } from './instance.ts';

/** Which instances are to go so that no more than `most` stay: those that have nothing to do first. One that starts stays: somebody waits for it. */
export function surplusOf(instances: Iterable<Instance>, most: number): Instance[] {
  const idle: Instance[] = [];
  const busy: Instance[] = [];
  let staying = 0;
  for (const instance of instances) {
    const { state } = instance;
    if (state === 'draining' || state === 'stopped') continue;
    staying++;
    if (state === 'idle') idle.push(instance);
    else if (state === 'busy') busy.push(instance);
  }
  return [...idle, ...busy].slice(0, Math.max(0, staying - most));
}
