import { connect } from 'amqplib';
import { brokerAddress } from '../amqp/broker-address.ts';
import type { Config } from '../config.ts';
import { openPostgres } from '../postgres/open-postgres.ts';
import type { Probe } from '../sandbox/driver.ts';
import { brokerCa } from './broker.ts';

/** For one of them to answer. Milliseconds. */
const TIMEOUT_MS = 5000;

/** Whether what `database.url` and `amqp.url` name can be reached, and which versions they are. None when nothing is named. */
export async function probeServices(config: Config): Promise<Probe[]> {
  const urls = config.amqp.url.split(',').filter((url) => url !== '');
  const probes = [...(config.database.url === '' ? [] : [probeDatabase(config)]), ...urls.map((url) => probeBroker(config, url))];
  return Promise.all(probes);
}

async function probeDatabase({ database }: Config): Promise<Probe> {
  const name = 'postgresql';
  try {
    const db = openPostgres({ url: database.url, maxConnections: 1, log: { info() {}, warn() {} } });
    try {
      const { rows } = await db.query<{ server_version: string }>('SHOW server_version');
      return { name, ok: true, detail: `${db.shown} answers: PostgreSQL ${rows[0]?.server_version}` };
    } finally {
      await db.close();
    }
  } catch (error) {
    return { name, ok: false, detail: (error as Error).message };
  }
}

async function probeBroker(config: Config, url: string): Promise<Probe> {
  const name = 'rabbitmq';
  try {
    const address = brokerAddress(url);
    try {
      const ca = brokerCa(config);
      const model = await connect(address, { timeout: TIMEOUT_MS, ...(ca ? { ca: [ca] } : {}) });
      // A connection that breaks now has told what it was made for.
      model.on('error', () => undefined);
      const { product, version } = model.connection.serverProperties;
      await model.close();
      return { name, ok: true, detail: `${address.shown} answers: ${product} ${version}` };
    } catch (error) {
      return { name, ok: false, detail: `${address.shown} can not be reached: ${(error as Error).message || (error as NodeJS.ErrnoException).code}` };
    }
  } catch (error) {
    return { name, ok: false, detail: (error as Error).message };
  }
}
