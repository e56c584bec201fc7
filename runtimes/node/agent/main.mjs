// Start of the runtime: says Hello over descriptor 3 before anything else is loaded, then becomes boot.mjs.
// Started as `node <flags> <folder>/main.mjs`. docs/protocol.md is the specification.

import { writeSync } from 'node:fs';
import { encodeJson, FRAME } from './frames.mjs';

try {
  writeSync(3, encodeJson(FRAME.hello, 0, { protocol: 1, runtime: 'nodejs', version: process.versions.node }));
} catch (error) {
  process.stderr.write(`hearth: no channel on descriptor 3: ${error.message}\n`);
  process.exit(70);
}
const { run } = await import('./boot.mjs');
await run();
