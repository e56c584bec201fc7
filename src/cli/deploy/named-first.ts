import type { ProjectFunction } from './read-project.ts';

/** Functions that others name come before those that name them, so that none is there without what it needs; but for circles, and else in the order of the file. */
export function namedFirst(functions: readonly ProjectFunction[]): ProjectFunction[] {
  const byName = new Map(functions.map((one) => [one.function_name, one]));
  const begun = new Set<ProjectFunction>();
  const ordered: ProjectFunction[] = [];
  const add = (one: ProjectFunction): void => {
    if (begun.has(one)) return;
    begun.add(one);
    for (const name of namesIn(one)) {
      const named = byName.get(name);
      if (named !== undefined) add(named);
    }
    ordered.push(one);
  };
  functions.forEach(add);
  return ordered;
}

function namesIn({ invokes = [], destinations, schedule }: ProjectFunction): string[] {
  const told = [destinations?.on_success, destinations?.on_failure, schedule?.on_failure, schedule?.on_recovery];
  return [...invokes, ...told.flatMap((one) => (one !== undefined && 'function' in one ? [one.function] : []))];
}
