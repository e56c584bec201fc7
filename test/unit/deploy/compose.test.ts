import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Service {
  image: string;
  container_name?: string;
  ports?: string[];
  environment?: Record<string, string>;
  healthcheck?: { test: string[] };
  restart?: string;
  mem_limit?: string;
  networks?: string[];
  volumes?: string[];
}
interface Compose {
  networks: Record<string, { name: string }>;
  volumes: Record<string, unknown>;
  services: Record<string, Service>;
}

const read = (name: string) => readFileSync(new URL(`../../../deploy/${name}`, import.meta.url), 'utf8');
const DATA_SERVICES = ['message_queue', 'cache_service', 'document_db', 'sql_db', 'object_storage'];

describe('deploy/compose.yml', () => {
  const text = read('compose.yml');
  const compose = parse(text, { merge: true }) as Compose;
  const services = Object.entries(compose.services);

  it("names services and containers by the seed's names", () => {
    expect(services.map(([name]) => name)).toEqual(DATA_SERVICES);
    for (const [name, service] of services) expect(service.container_name).toBe(name);
  });

  it('puts all of them on the network whose name is cloud_net', () => {
    expect(compose.networks.cloud_net?.name).toBe('cloud_net');
    for (const [name, { networks }] of services) expect(networks, name).toEqual(['cloud_net']);
  });

  it.each(services)(
    '%s has a tag that is fixed, a health check, a bound of memory, a named volume, and comes back after a crash',
    (name, service) => {
      expect(service.image).toMatch(/:[A-Za-z0-9.-]*\d[A-Za-z0-9.-]*$/);
      expect(service.healthcheck?.test.length).toBeGreaterThan(1);
      expect(service.mem_limit).toMatch(/^\d+[mg]$/);
      expect(service.restart).toBe('unless-stopped');
      expect(Object.keys(compose.volumes)).toContain(name);
      expect(service.volumes?.some((volume) => volume.startsWith(`${name}:/`))).toBe(true);
    },
  );

  it.each(services)('%s publishes no port beyond loopback', (_, { ports }) => {
    expect(ports?.length).toBeGreaterThan(0);
    for (const port of ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+$/);
  });
});

describe('deploy/compose.platform.yml', () => {
  const { hearth } = (parse(read('compose.platform.yml')) as { services: Record<string, Service & Record<string, unknown>> }).services;

  it('runs the platform as an ordinary user without capabilities, on a root that it can not write to', () => {
    expect(hearth).toMatchObject({ user: '1500:1500', cap_drop: ['ALL'], read_only: true, init: true, security_opt: ['no-new-privileges:true'] });
    expect(read('Dockerfile')).toMatch(/^USER hearth$/m);
    expect(read('Dockerfile')).toMatch(/^HEALTHCHECK /m);
  });

  it('mounts the data folder at the path by which the engine knows it', () => {
    const [data = ''] = hearth?.volumes ?? [];
    const [outside, inside] = data.split(/:(?=\$)/);
    expect(inside).toBe(outside);
    expect(hearth?.environment?.HEARTH_DATA_DIR).toBe(outside);
  });

  it('publishes no port beyond loopback', () => {
    for (const port of hearth?.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
  });
});

describe('the files in deploy/', () => {
  it.each(['compose.yml', 'compose.platform.yml', 'rabbitmq/rabbitmq.conf'])('%s holds no password', (name) => {
    for (const line of read(name).split('\n')) {
      if (!/^\s*[A-Za-z_]*(pass|password|secret|token)[A-Za-z_]*\s*[:=]/i.test(line)) continue;
      expect(line).toMatch(/[:=]\s*(amqp:\/\/hearth:)?\$\{[A-Z_]+:\?[^}]+\}/);
    }
  });

  it('are told to git, apart from what is generated', () => {
    const ignored = readFileSync(new URL('../../../.gitignore', import.meta.url), 'utf8').split('\n');
    expect(ignored).toContain('.env');
    expect(ignored).toContain('deploy/rabbitmq/definitions.json');
  });
});
