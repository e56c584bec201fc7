import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  healthcheck?: object;
  hostname?: string;
  networks: string[];
  ports?: { mode: string; target: number }[];
  secrets: (string | { source: string; uid?: string; mode?: number })[];
  stop_grace_period: string;
  user?: string;
  volumes: (string | { source?: string; target: string })[];
  deploy: { endpoint_mode: string; mode?: string; placement: { constraints: string[] }; resources: { limits: { memory: string } } };
}
interface Stack {
  networks: Record<string, { driver: string }>;
  secrets: Record<string, { external: boolean; name: string }>;
  configs: Record<string, { name: string; file: string }>;
  services: Record<string, Service>;
}

const read = (name: string): string => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');
const text = read('deploy/swarm/stack.yml');
// Swarm reads YAML 1.1, where 0400 is octal.
const { networks, secrets, configs, services } = parse(text, { merge: true, version: '1.1' }) as Stack;
/** docker stack deploy says that it ignores them, and goes on. */
const IGNORED = [
  'build',
  'cgroup_parent',
  'container_name',
  'depends_on',
  'devices',
  'group_add',
  'network_mode',
  'privileged',
  'restart',
  'security_opt',
  'mem_limit',
];

describe('deploy/swarm/stack.yml', () => {
  it.each(Object.entries(services))('%s asks for nothing that a Swarm leaves out, and says where it runs and what it may take', (_, service) => {
    expect(Object.keys(service).filter((key) => IGNORED.includes(key))).toEqual([]);
    expect(service.networks).toEqual(['cluster']);
    expect(service.deploy).toMatchObject({
      endpoint_mode: 'dnsrr',
      placement: { constraints: [expect.stringMatching(/^node\.labels\.hearth\.[a-z0-9-]+ == true$/)] },
      resources: { limits: { memory: expect.stringMatching(/^\d+G$/) } },
    });
    for (const secret of service.secrets) expect(Object.keys(secrets)).toContain(typeof secret === 'string' ? secret : secret.source);
  });

  it('has the brokers find each other by the names of their services, before any of them is healthy', () => {
    expect(networks.cluster?.driver).toBe('overlay');
    const conf = read(`deploy/swarm/${configs.rabbitmq?.file}`);
    const named = [...conf.matchAll(/^cluster_formation\.classic_config\.nodes\.\d = rabbit@(.*)$/gm)].map(([, name]) => name as string);
    expect(named).toEqual(Object.keys(services).filter((name) => name.startsWith('rabbitmq-')));
    for (const name of named) {
      expect(services[name]?.hostname).toBe(name);
      expect(services[name]?.healthcheck).toBeUndefined();
      expect(services[name]?.volumes).toEqual([`${name}:/var/lib/rabbitmq`]);
      expect(services.hearth?.command?.[0]).toContain(`@${name}:5672`);
    }
  });

  it('runs a node on each machine that has the label, as an ordinary user, at paths that its engine knows, for longer than it drains', () => {
    const { hearth } = services;
    expect(hearth).toMatchObject({ read_only: true, cap_drop: ['ALL'], init: true, deploy: { mode: 'global' } });
    expect(hearth?.user).toMatch(/^1500:/);
    for (const volume of hearth?.volumes ?? []) {
      if (typeof volume !== 'string' && volume.source !== undefined) expect(volume.source).toBe(volume.target);
    }
    expect(Number.parseInt(hearth?.stop_grace_period ?? '', 10)).toBeGreaterThan(65);
    expect(hearth?.ports?.map(({ mode, target }) => [mode, target])).toEqual([
      ['host', 5000],
      ['host', 8000],
    ]);
    for (const secret of hearth?.secrets ?? []) expect(secret).toMatchObject({ uid: '1500', mode: 0o400 });
  });

  it('holds no password, and is given those that secrets.sh makes', () => {
    expect(text).not.toMatch(/(password|token|key)[a-z_]*\s*[:=]\s*["']?[A-Za-z0-9+]{16}/i);
    const made = read('deploy/swarm/secrets.sh')
      .match(/secret (hearth_\w+)/g)
      ?.map((match) => match.slice('secret '.length));
    expect(new Set(made)).toEqual(new Set(Object.values(secrets).map(({ name }) => name)));
  });

  it('names settings that there are', () => {
    const known = read('docs/reference/configuration.md').match(/HEARTH_[A-Z0-9_]+/g);
    const named = [...Object.keys(services.hearth?.environment ?? {}), ...(services.hearth?.command?.[0]?.match(/HEARTH_[A-Z_]+/g) ?? [])];
    for (const name of named) expect(known, name).toContain(name);
  });
});
