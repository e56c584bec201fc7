import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../../src/telemetry/metrics/create-metrics.ts';
import { BURN_RULES } from '../../../src/telemetry/slo/slo-status.ts';
import { promtool } from '../../support/prometheus.ts';

const at = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const ALERTS = at('deploy/prometheus/alerts.yml');

/** Those of docs/metrics.md, which another test holds against a scrape, and those of the process. */
async function knownMetrics(): Promise<Set<string>> {
  const documented = (await readFile(at('docs/metrics.md'), 'utf8')).matchAll(/^\| `((?:faas|hearth)_\w+)`/gm);
  const ofProcess = (await createMetrics([]).render()).matchAll(/^# TYPE (\w+)/gm);
  return new Set(['up', ...[...documented, ...ofProcess].map(([, name]) => name as string)]);
}

/** Names in an expression that nothing knows, of a histogram without what its lines have behind them. */
function unknownIn(expression: string, known: ReadonlySet<string>): string[] {
  const names = expression.match(/\b(?:hearth|faas|nodejs|process|up)(?:_\w+)?\b(?=[{[ )]|$)/g) ?? [];
  return names.filter((name) => !known.has(name) && !known.has(name.replace(/_(bucket|sum|count)$/, '')) && name !== 'faas_name');
}

describe('deploy/prometheus/alerts.yml', () => {
  it('is what Prometheus takes, and fires when it should', async () => {
    expect(promtool(['check', 'rules', ALERTS])).toMatch(/SUCCESS/);
    const folder = await mkdtemp(join(tmpdir(), 'hearth-rules-'));
    try {
      const cases = await readFile(new URL('prometheus/alerts.yml', import.meta.url), 'utf8');
      const file = join(folder, 'cases.yml');
      await writeFile(file, cases.replaceAll('{{alerts}}', ALERTS));
      expect(promtool(['test', 'rules', file])).toMatch(/SUCCESS/);
      await writeFile(file, cases.replaceAll('{{alerts}}', ALERTS).replace('20x10', '2x10'));
      expect(() => promtool(['test', 'rules', file])).toThrow('HearthFastBurn');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('burns by the rules that verdicts go by', async () => {
    const text = await readFile(ALERTS, 'utf8');
    for (const { rate, long, short } of BURN_RULES) {
      const burns = (window: string) => `hearth_slo_burn_rate{window="${window}"} > ${rate}`;
      expect(text).toContain(`${burns(long)} and ignoring(window) ${burns(short)}`);
    }
    expect(text.match(/hearth_slo_burn_rate/g)).toHaveLength(2 * BURN_RULES.length);
  });

  it('asks for metrics that there are', async () => {
    const known = await knownMetrics();
    const text = await readFile(ALERTS, 'utf8');
    const expressions = [...text.matchAll(/^ {8}expr: ((?:.|\n)*?)\n {8}\w/gm)].map(([, expression]) => expression as string);
    expect(expressions.length).toBe(text.match(/alert: /g)?.length);
    expect(expressions.flatMap((expression) => unknownIn(expression, known))).toEqual([]);
    expect(unknownIn('rate(hearth_nothing_total[5m]) > 0 and hearth_none', known)).toEqual(['hearth_nothing_total', 'hearth_none']);
  });
});

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { h: number; w: number; x: number; y: number };
  datasource?: { type: string; uid: string };
  targets?: { refId: string; expr: string }[];
}

describe('deploy/grafana/hearth.json', () => {
  it('is a dashboard as Grafana provisions it, over metrics that there are', async () => {
    const known = await knownMetrics();
    const dashboard = JSON.parse(await readFile(at('deploy/grafana/hearth.json'), 'utf8')) as {
      uid: string;
      title: string;
      schemaVersion: number;
      templating: { list: { name: string; type: string }[] };
      panels: Panel[];
    };
    // The file of a provider is the dashboard itself: `id` is Grafana's to give, `uid` keeps its address.
    expect(dashboard).toMatchObject({ uid: 'hearth', title: 'Hearth', schemaVersion: expect.any(Number) });
    expect(dashboard).not.toHaveProperty('id');
    expect(dashboard.templating.list.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['instance', 'query'],
      ['function', 'query'],
    ]);
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { title, type, gridPos, targets = [], datasource } of panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      if (type === 'row') continue;
      expect(datasource, title).toEqual({ type: 'prometheus', uid: '$' + '{datasource}' });
      expect(targets.length, title).toBeGreaterThan(0);
      for (const { expr } of targets) expect(unknownIn(expr, known), `${title}: ${expr}`).toEqual([]);
    }
    // As Prometheus reads them, with what Grafana puts in.
    const rules = panels
      .flatMap(({ targets = [] }) => targets)
      .map(({ expr }, index) => ({ record: `panel:${index}`, expr: expr.replaceAll('$__rate_interval', '5m').replace(/\$\w+/g, '.*') }));
    const folder = await mkdtemp(join(tmpdir(), 'hearth-panels-'));
    try {
      const file = join(folder, 'panels.yml');
      await writeFile(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
      expect(promtool(['check', 'rules', file])).toContain(`${rules.length} rules found`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
