import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type ChartTools, chartTools, type Manifest, ManifestSchemas } from '../../support/chart-tools.ts';

const run = promisify(execFile);
const at = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const CHART = at('deploy/helm/hearth');
const CLUSTER = ['database.secretName=hearth-db-app', 'amqp.secretName=hearth-mq-default-user', 'secretsKey.secretName=hearth'];
/** What is installed with which values. */
const SETS: Record<string, string[]> = {
  'a StatefulSet over PostgreSQL and RabbitMQ': CLUSTER,
  'a DaemonSet with privileges, scraped': [...CLUSTER, 'kind=DaemonSet', 'sandbox.rights=privileged', 'serviceMonitor.enabled=true'],
  'a Deployment that an HPA scales': [...CLUSTER, 'kind=Deployment', 'autoscaling.by=hpa', 'autoscaling.metricLabels.installation=one'],
  'a StatefulSet without volumes that KEDA scales': [...CLUSTER, 'persistence.enabled=false', 'autoscaling.by=keda'],
  'one node without a database': ['replicas=1', 'podDisruptionBudget.enabled=false', 'settings.HEARTH_LOG_LEVEL=debug'],
};
/** Of operators, whose kinds Kubernetes doesn't know. */
const FOREIGN = ['ScaledObject', 'ServiceMonitor'];

interface Container {
  securityContext: Record<string, unknown>;
  env: { name: string; valueFrom: { secretKeyRef?: { name: string; key: string }; fieldRef?: { fieldPath: string } } }[];
}
interface Workload extends Manifest {
  spec: {
    replicas?: number;
    template: { spec: { terminationGracePeriodSeconds: number; hostUsers?: boolean; containers: [Container]; volumes: { name: string }[] } };
    volumeClaimTemplates?: unknown[];
  };
}

let tools: ChartTools;
let schemas: ManifestSchemas;
beforeAll(async () => {
  tools = await chartTools();
  schemas = await ManifestSchemas.read(tools.definitions);
});

const flags = (values: string[]): string[] => values.flatMap((value) => ['--set', value]);
async function render(values: string[]): Promise<Manifest[]> {
  const { stdout } = await run(tools.helm, ['template', 'hearth', CHART, '--namespace', 'functions', '--kube-version', '1.35', ...flags(values)]);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}
const workloadOf = (manifests: Manifest[]): Workload =>
  manifests.find(({ kind }) => ['StatefulSet', 'Deployment', 'DaemonSet'].includes(kind)) as Workload;
function variables(workload: Workload): Record<string, unknown> {
  const entries = workload.spec.template.spec.containers[0].env.map(({ name, valueFrom: { secretKeyRef, fieldRef } }) => [
    name,
    secretKeyRef === undefined ? fieldRef?.fieldPath : `${secretKeyRef.name}/${secretKeyRef.key}`,
  ]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

describe.each(Object.entries(SETS))('the chart as %s', (_, values) => {
  let manifests: Manifest[];
  let workload: Workload;
  beforeAll(async () => {
    manifests = await render(values);
    workload = workloadOf(manifests);
  });

  it('is what helm finds nothing amiss in, and Kubernetes takes', async () => {
    await run(tools.helm, ['lint', '--strict', '--quiet', '--kube-version', '1.35', CHART, ...flags(values)]);
    const found = manifests.filter(({ kind }) => !FOREIGN.includes(kind)).map((manifest) => [manifest.kind, schemas.problems(manifest)]);
    expect(found.length).toBeGreaterThanOrEqual(6);
    for (const [kind, problems] of found) expect(problems, String(kind)).toEqual([]);
    for (const { kind, metadata } of manifests) expect(metadata.namespace, kind).toBe('functions');
  });

  it('leaves a node its time to drain, and names it', () => {
    const settings = (manifests.find(({ kind }) => kind === 'ConfigMap') as Manifest & { data: Record<string, string> }).data;
    const { terminationGracePeriodSeconds } = workload.spec.template.spec;
    expect(terminationGracePeriodSeconds).toBeGreaterThan(Number(settings.HEARTH_LIMITS_DRAIN_MS) / 1000 + 10);
    expect(variables(workload)).toMatchObject({
      HEARTH_NODE_NAME: workload.kind === 'DaemonSet' ? 'spec.nodeName' : 'metadata.name',
      HEARTH_API_ADMIN_TOKEN: 'hearth/admin-token',
    });
  });

  it('gives the platform names that it has settings for', async () => {
    const known = new Set((await readFile(at('docs/reference/configuration.md'), 'utf8')).match(/HEARTH_[A-Z0-9_]+/g));
    const settings = (manifests.find(({ kind }) => kind === 'ConfigMap') as Manifest & { data: object }).data;
    for (const name of [...Object.keys(settings), ...Object.keys(variables(workload))]) expect(known, name).toContain(name);
  });
});

describe('the chart', () => {
  it('has nodes know one database, one broker and one key, by secrets that are there', async () => {
    expect(variables(workloadOf(await render(CLUSTER)))).toMatchObject({
      HEARTH_DATABASE_URL: 'hearth-db-app/uri',
      HEARTH_AMQP_URL: 'hearth-mq-default-user/connection_string',
      HEARTH_SECRETS_KEY: 'hearth/secrets-key',
    });
    const single = variables(workloadOf(await render(['replicas=1'])));
    expect(Object.keys(single)).toEqual(['HEARTH_NODE_NAME', 'HEARTH_API_ADMIN_TOKEN']);
  });

  it('gives bubblewrap what it needs and an ordinary user nothing more', async () => {
    const pod = async (...values: string[]) => workloadOf(await render([...CLUSTER, ...values])).spec.template.spec;
    const own = await pod();
    expect(own).toMatchObject({ hostUsers: false, securityContext: { runAsNonRoot: true, runAsUser: 1500 }, automountServiceAccountToken: false });
    expect(own.containers[0].securityContext).toEqual({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      procMount: 'Unmasked',
      seccompProfile: { type: 'Unconfined' },
      appArmorProfile: { type: 'Unconfined' },
    });
    const privileged = await pod('sandbox.rights=privileged');
    expect(privileged.hostUsers).toBeUndefined();
    expect(privileged.containers[0].securityContext).toEqual({ readOnlyRootFilesystem: true, privileged: true });
  });

  it('keeps layers on a volume for each node where there may be one, and says how many nodes there are unless something else does', async () => {
    const full = workloadOf(await render(CLUSTER));
    expect([full.spec.replicas, full.spec.volumeClaimTemplates?.length, full.spec.template.spec.volumes.length]).toEqual([3, 1, 1]);
    const scaled = workloadOf(await render([...CLUSTER, 'kind=Deployment', 'autoscaling.by=hpa']));
    expect([scaled.spec.replicas, scaled.spec.volumeClaimTemplates, scaled.spec.template.spec.volumes.length]).toEqual([undefined, undefined, 2]);
  });

  it('scales by a metric that there is', async () => {
    const documented = await readFile(at('docs/metrics.md'), 'utf8');
    const [hpa] = (await render([...CLUSTER, 'autoscaling.by=hpa'])).filter(({ kind }) => kind === 'HorizontalPodAutoscaler');
    const [external] = (hpa as unknown as { spec: { metrics: { external: { metric: { name: string }; target: object } }[] } }).spec.metrics;
    expect(external?.external.target).toEqual({ type: 'AverageValue', averageValue: '50' });
    expect(documented).toContain(`| \`${external?.external.metric.name}\` | gauge`);
    const [keda] = (await render([...CLUSTER, 'autoscaling.by=keda'])).filter(({ kind }) => kind === 'ScaledObject');
    expect((keda as unknown as { spec: { triggers: { metadata: { query: string } }[] } }).spec.triggers[0]?.metadata.query).toBe(
      `max(${external?.external.metric.name}{namespace="functions"})`,
    );
  });

  it.each([
    ['several nodes without a database', [], 'Several nodes need one database'],
    ['a database without a key', ['database.secretName=db'], 'set secretsKey.secretName'],
    ['a broker without a database', ['replicas=1', 'amqp.secretName=mq'], 'set database.secretName too'],
    ['a DaemonSet that is scaled', [...CLUSTER, 'kind=DaemonSet', 'autoscaling.by=keda'], 'set autoscaling.by to none'],
    ['bubblewrap without rights', [...CLUSTER, 'sandbox.rights=none'], 'permits no isolation'],
    ['a value that there is not', [...CLUSTER, 'replica=3'], "additional properties 'replica' not allowed"],
    ['a setting that is none', [...CLUSTER, 'settings.LOG_LEVEL=debug'], "invalid propertyName 'LOG_LEVEL'"],
  ])('refuses %s, and says what to do', async (_, values, message) => {
    await expect(render(values)).rejects.toThrow(message);
  });

  it('would be found to be wrong', async () => {
    const workload = workloadOf(await render(CLUSTER));
    Object.assign(workload.spec.template.spec, { hostUser: false, terminationGracePeriodSeconds: 'long' });
    expect(schemas.problems(workload).join('\n')).toMatch(
      /terminationGracePeriodSeconds must be integer(.|\n)*"hostUser"|"hostUser"(.|\n)*must be integer/,
    );
  });

  it('tells what comes next', async () => {
    const { stdout } = await run(tools.helm, ['install', 'hearth', CHART, '--dry-run=client', '--namespace', 'functions', ...flags(CLUSTER)]);
    const [, notes] = stdout.split('\nNOTES:\n');
    expect(notes).toContain('3 nodes in functions');
    expect(notes).toContain(`get secret hearth -o go-template='{{ index .data "admin-token" | base64decode }}'`);
  });
});
