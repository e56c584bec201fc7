import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { layerPath } from '../bubblewrap/bubblewrap-sandbox.ts';
import { nameFiles } from '../bubblewrap/network.ts';
import type { Plan } from '../bubblewrap/plan.ts';
import { closingSteps, etcSteps, interpreterSteps, readOnly } from '../bubblewrap/root-filesystem.ts';
import type { Interpreter } from '../interpreter.ts';
import { type DriverOptions, PRIVATE_STREAM_LISTEN, privateServices } from '../options.ts';

/** Below the zygote's /tmp, over which each sandbox mounts its own. */
const PRIVATE_FOLDER = '/tmp/.zygote';
const TMP_BYTES = 1024 * 1024;

export interface ZygoteView {
  interpreter: Interpreter;
  /** Folders on the host. */
  layers: readonly string[];
  /** The zygote's own code. */
  zygoteFolder: string;
  /** The door's socket. */
  door: string;
}

/** A sandbox as the bubblewrap driver makes it, whose command is the zygote; it has no network at all. */
export function zygotePlan(options: DriverOptions, { interpreter, layers, zygoteFolder, door }: ZygoteView): Plan {
  return {
    network: 'none',
    workingFolder: '/tmp',
    command: [interpreter.executable, '-I', '-S', '-B', `${PRIVATE_FOLDER}/code/__main__.py`],
    environment: { PATH: dirname(interpreter.executable), HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8' },
    steps: [
      ...interpreterSteps(interpreter, options.extraBinds ?? []),
      // One /etc for sandboxes with and without egress: where there is no network, asking its resolver fails at once.
      ...etcSteps(nameFiles('egress', [PRIVATE_STREAM_LISTEN, ...privateServices(options.services)])),
      readOnly(realpathSync(options.agentFolder), '/runtime'),
      ...layers.map((layer, index) => readOnly(realpathSync(layer), layerPath(index))),
      ...closingSteps(TMP_BYTES, 'open'),
      readOnly(realpathSync(zygoteFolder), `${PRIVATE_FOLDER}/code`),
      readOnly(door, `${PRIVATE_FOLDER}/door`),
    ],
  };
}
