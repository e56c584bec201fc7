/** The platform's own metrics out of the text of `/metrics`: sums by name, and where there is a state or a result, of each by `name state`. */
export function readGauges(text: string): Map<string, number> {
  const sums = new Map<string, number>();
  const add = (name: string, value: number) => sums.set(name, (sums.get(name) ?? 0) + value);
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^(hearth_[a-z_]+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    if (name === undefined) continue;
    add(name, Number(value));
    const kind = /(?:state|result)="([a-z]+)"/.exec(labels)?.[1];
    if (kind !== undefined) add(`${name} ${kind}`, Number(value));
  }
  return sums;
}
