import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { claimGroups, tryJoin } from './claim-groups.ts';
import { foldersOf } from './group.ts';
import { GroupKeeper } from './group-keeper.ts';
import { readParents, writeParents } from './leftovers.ts';
import { CONTROLLERS, locate } from './locate.ts';
import { parseCgroupMounts, parseOwnGroups } from './proc-files.ts';
import type { Opening, Operations, ThreadData, ThreadRequest, ThreadResponse } from './thread-messages.ts';

/** The thread in which the kernel may keep us waiting for a cgroup. Starts the requests one after another; only the ends of groups overlap with others. */

if (parentPort === null) throw new Error('thread.ts is run as a worker by cgroups.ts');
const port = parentPort;
const { settings, parent, stateFile, pid } = workerData as ThreadData;

const groups = parseOwnGroups(readFileSync('/proc/self/cgroup', 'utf8'));
const mounts = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
const located = Object.fromEntries(CONTROLLERS.map((controller) => [controller, locate(controller, groups, mounts, parent)]));
const claim = claimGroups({ located, name: settings.prefix, parentIsNamed: parent !== '', pid });
await tryJoin(claim, settings.prefix);
const keeper = new GroupKeeper(claim, settings);
const places = foldersOf(claim.places);
const leftovers = stateFile === null ? { ended: 0, stuck: [] } : await keeper.endLeftovers(readParents(stateFile));
// Where something is stuck, the next start tries again.
if (stateFile !== null)
  writeParents(stateFile, [...new Set([...places, ...leftovers.stuck.map((folder) => folder.slice(0, folder.lastIndexOf('/')))])]);

let stocking = false;
let closing = false;
function stockSoon(): void {
  if (stocking || closing || places.length === 0) return;
  stocking = true;
  // After whatever has been asked for meanwhile.
  setTimeout(() => {
    stocking = false;
    if (closing) return;
    try {
      if (keeper.stockOne()) stockSoon();
    } catch {
      // Whoever joins next learns of it.
    }
  });
}

const operations: Operations = {
  join: (group, kind, process) => keeper.join(group, kind, process),
  limit: (group, limits) => keeper.limit(group, limits),
  oomKills: (group) => keeper.oomKills(group),
  end: (group) => keeper.end(group),
  close: () => {
    closing = true;
    return keeper.close();
  },
};

async function answer({ id, operation, args }: ThreadRequest): Promise<ThreadResponse> {
  try {
    const act = operations[operation] as (...args: readonly unknown[]) => unknown;
    return { id, value: await act(...args) };
  } catch (error) {
    return { id, error: (error as Error).message };
  }
}

port.on('message', (request: ThreadRequest) => {
  void answer(request).then((response) => {
    port.postMessage(response);
    stockSoon();
    if (request.operation === 'close') port.close();
  });
});
port.postMessage({ places: claim.places as Opening['places'], reasons: claim.reasons, leftovers } satisfies Opening);
stockSoon();
