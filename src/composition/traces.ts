import { randomUUID } from 'node:crypto';
import type { Config } from '../config.ts';
import { HearthError } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Traces } from '../telemetry/traces/create-traces.ts';
import { readVersion } from './files.ts';

/** What the standard has for an endpoint that is named without a path. */
const DEFAULT_PATH = '/v1/traces';

/** Null without an endpoint: then nothing of them is loaded, and no part does anything for them. @throws HearthError invalid_config */
export async function openTraces({ traces }: Config, log: Logger): Promise<Traces | null> {
  if (traces.endpoint === '') return null;
  const url = URL.parse(traces.endpoint);
  if (!url) throw new HearthError('invalid_config', `The setting traces.endpoint is ${JSON.stringify(traces.endpoint)}, which is no URL.`);
  if (url.pathname === '/') url.pathname = DEFAULT_PATH;
  const [{ createTraces }, version] = await Promise.all([import('../telemetry/traces/create-traces.ts'), readVersion()]);
  const resource = { 'service.instance.id': randomUUID(), 'service.version': version, ...traces.resource, 'service.name': traces.service_name };
  return createTraces(
    { url: url.href, headers: traces.headers, resource, version, sampler: traces.sampler, ratio: traces.ratio, maxPerSecond: traces.max_per_s },
    log,
  );
}
