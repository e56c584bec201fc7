import { describe, expect, it } from 'vitest';
import { loadConfig } from '../config.ts';
import { readServices } from './services.ts';

const read = (environment: Record<string, string>, brokerAt = 0) =>
  readServices(loadConfig(environment, '/'), () => brokerAt).map(({ name, port, target }) => ({ name, port, target: target() }));

describe('services', () => {
  it('are names with where they lead, and the port that functions use', () => {
    expect(read({ HEARTH_SERVICES: 'cache_service=127.0.0.1:6379,sql_db:5432=db.example:15432,six=[::1]:80' })).toEqual([
      { name: 'cache_service', port: 6379, target: { host: '127.0.0.1', port: 6379 } },
      { name: 'sql_db', port: 5432, target: { host: 'db.example', port: 15_432 } },
      { name: 'six', port: 80, target: { host: '::1', port: 80 } },
    ]);
    expect(read({})).toEqual([]);
  });

  it.each([
    'cache',
    'cache=',
    'cache=127.0.0.1',
    'cache=127.0.0.1:0',
    'cache=127.0.0.1:65536',
    'cache=redis://127.0.0.1:6379',
    'Cache=127.0.0.1:1',
    'a b=127.0.0.1:1',
    'a:b=127.0.0.1:1',
    'a:0=127.0.0.1:1',
    'a=127.0.0.1:1,a:2=127.0.0.1:2',
    'localhost=127.0.0.1:1',
    'message_queue=127.0.0.1:5672',
  ])('that make no sense are refused: %s', (text) => {
    expect(() => read({ HEARTH_SERVICES: text })).toThrow(expect.objectContaining({ code: 'invalid_config' }));
  });

  it('have the broker among them, unless answers are embedded', () => {
    const url = { HEARTH_AMQP_URL: 'amqps://user:secret@broker.example' };
    expect(read(url)).toMatchObject([
      { name: 'message_queue', port: 5672, target: { host: 'broker.example', port: 5671, tls: { servername: 'broker.example' } } },
    ]);
    expect(read({ ...url, HEARTH_AMQP_FUNCTIONS_URL: 'amqp://10.0.0.1:99' })).toMatchObject([{ target: { host: '10.0.0.1', port: 99 } }]);
    expect(read({ ...url, HEARTH_AMQP_MESSAGE_QUEUE: 'embedded' })).toEqual([]);
    expect(() => read({ ...url, HEARTH_AMQP_FUNCTIONS_URL: 'http://x' })).toThrow(/amqp\.functions_url .*HEARTH_AMQP_FUNCTIONS_URL/);
    expect(() => read({ ...url, HEARTH_AMQP_CA_FILE: '/no/such/file' })).toThrow(/amqp\.ca_file/);
  });

  it('lead to that node of the broker which is said', () => {
    const nodes = { HEARTH_AMQP_URL: 'amqp://u:p@a,amqps://u:p@b' };
    expect(read(nodes)).toMatchObject([{ target: { host: 'a', port: 5672 } }]);
    expect(read(nodes, 1)).toMatchObject([{ target: { host: 'b', port: 5671, tls: { servername: 'b' } } }]);
    expect(read({ ...nodes, HEARTH_AMQP_FUNCTIONS_URL: 'amqp://in-front' }, 1)).toMatchObject([{ target: { host: 'in-front' } }]);
    expect(read({ ...nodes, HEARTH_AMQP_FUNCTIONS_URL: 'amqp://c,amqp://d' }, 1)).toMatchObject([{ target: { host: 'd' } }]);
    expect(() => read({ ...nodes, HEARTH_AMQP_FUNCTIONS_URL: 'amqp://c,amqp://d,amqp://e' })).toThrow(/functions_url has 3 URLs and amqp\.url 2/);
  });
});
