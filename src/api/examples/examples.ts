import { ACCESS } from './access.ts';
import { BUNDLES } from './bundles.ts';
import { DEAD_LETTERS } from './dead-letters.ts';
import { FUNCTIONS } from './functions.ts';
import { INSTANCES } from './instances.ts';
import { INVOCATIONS } from './invocations.ts';
import { KEYS } from './keys.ts';
import { LAYERS } from './layers.ts';
import { LOGS } from './logs.ts';
import type { OperationExamples } from './operation-examples.ts';
import { PLATFORM } from './platform.ts';
import { QUEUES } from './queues.ts';
import { SCHEDULES } from './schedules.ts';
import { SECRETS } from './secrets.ts';
import { SERIES } from './series.ts';
import { SLO } from './slo.ts';
import { TRAFFIC } from './traffic.ts';
import { VERSIONS } from './versions.ts';

export { DETAILS } from './problems.ts';

/** What the OpenAPI document shows of each operation, by method and path as they stand there; a test holds every one against its schema. */
export const EXAMPLES: Readonly<Record<string, OperationExamples>> = {
  ...FUNCTIONS,
  ...BUNDLES,
  ...INSTANCES,
  ...VERSIONS,
  ...TRAFFIC,
  ...KEYS,
  ...INVOCATIONS,
  ...DEAD_LETTERS,
  ...LOGS,
  ...SCHEDULES,
  ...QUEUES,
  ...LAYERS,
  ...SECRETS,
  ...ACCESS,
  ...SERIES,
  ...SLO,
  ...PLATFORM,
};
