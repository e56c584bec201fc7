import { spawnSync } from 'node:child_process';

/** Runs promtool (of the package prometheus). @returns what it printed @throws Error with that when it finds fault */
export function promtool(args: readonly string[], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  if (error) throw error;
  // Linters speak on stderr.
  if (status !== 0 || stderr !== '') throw new Error(`promtool ${args.join(' ')} (exit code ${status}):\n${stdout}${stderr}`);
  return stdout;
}

/** One sample of a scrape. */
export interface ScrapedSample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const TYPES = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped']);

/**
 * Parses the text exposition format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/) and checks what a scraper, and promtool's linter, would complain of.
 * @throws Error naming the line
 */
export function parseExposition(text: string): ScrapedSample[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const types = new Map<string, string>();
  const helps = new Set<string>();
  const seen = new Set<string>();
  const closed = new Set<string>();
  const samples: ScrapedSample[] = [];
  let family = '';
  for (const line of text.split('\n')) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${line}`);
    };
    if (line === '') continue;
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment) {
      const [, kind, name, rest] = comment as unknown as [string, string, string, string];
      if (name !== family) {
        closed.add(family);
        if (closed.has(name)) fail('a family in two places');
        family = name;
      }
      if (kind === 'HELP') helps.add(name);
      else if (!TYPES.has(rest)) fail('no such type');
      else if (types.has(name)) fail('a second type');
      else types.set(name, rest);
      continue;
    }
    const sample = parseSample(line) ?? fail('no sample');
    const type = types.get(family);
    const suffix = sample.name.slice(family.length);
    if (!sample.name.startsWith(family) || type === undefined || !helps.has(family))
      fail('a sample outside its family, or one without type and help');
    if (
      suffix !== '' &&
      !(type === 'histogram' && ['_bucket', '_sum', '_count'].includes(suffix)) &&
      !(type === 'summary' && ['_sum', '_count'].includes(suffix))
    )
      fail(`no sample of a ${type}`);
    if (type === 'counter' && !(sample.value >= 0)) fail('a counter below 0');
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (seen.has(key)) fail('the same series twice');
    seen.add(key);
    samples.push(sample);
  }
  for (const [name, type] of types) if (type === 'histogram') checkHistogram(name, samples);
  return samples;
}

function parseSample(line: string): ScrapedSample | undefined {
  const name = NAME.exec(line)?.[0];
  if (name === undefined) return undefined;
  let rest = line.slice(name.length);
  const labels: Record<string, string> = {};
  if (rest.startsWith('{')) {
    rest = rest.slice(1);
    for (let label = next(); label; label = next()) {
      const [whole, labelName, value] = label as unknown as [string, string, string];
      if (labelName in labels) return undefined;
      labels[labelName] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
      rest = rest.slice(whole.length);
    }
    if (!rest.startsWith('}')) return undefined;
    rest = rest.slice(1);
  }
  function next(): RegExpExecArray | null {
    return /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)",?/.exec(rest);
  }
  // As Go's ParseFloat takes it, which doesn't mind how NaN and Inf are written.
  const value = /^ (nan|[+-]?inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/i.exec(rest)?.[1];
  return value === undefined ? undefined : { name, labels, value: Number(value.replace(/inf/i, 'Infinity')) };
}

/** Buckets cumulate up to +Inf, which is the count. */
function checkHistogram(name: string, samples: readonly ScrapedSample[]): void {
  const series = new Map<string, { last: number; bound: number; infinite: number | undefined }>();
  for (const { name: sampleName, labels, value } of samples) {
    const { le, ...others } = labels;
    const key = JSON.stringify(Object.entries(others).sort());
    if (sampleName === `${name}_bucket`) {
      const bound = Number((le ?? '').replace('Inf', 'Infinity'));
      const before = series.get(key) ?? { last: 0, bound: Number.NEGATIVE_INFINITY, infinite: undefined };
      if (!(bound > before.bound) || value < before.last) throw new Error(`buckets of ${name} ${key} do not cumulate`);
      series.set(key, { last: value, bound, infinite: bound === Number.POSITIVE_INFINITY ? value : undefined });
    } else if (sampleName === `${name}_count` && series.get(key)?.infinite !== value)
      throw new Error(`the count of ${name} ${key} is not that of +Inf`);
  }
}
