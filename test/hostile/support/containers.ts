import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Engine, PLATFORM_LABEL } from '../../../src/sandbox/docker/engine.ts';

interface Inspected {
  State: { Running: boolean };
  GraphDriver?: { Data?: { MergedDir?: string } | null };
  NetworkSettings?: { SandboxKey?: string };
}

/** What an engine holds for one platform: the containers with its label, and what was ever seen of theirs on the machine. */
export class Containers {
  readonly #engine: Engine;
  readonly #enginePid: number;
  readonly #label: string;
  /** Container's id → texts by which mounts of its are known. */
  readonly #seen = new Map<string, string[]>();
  /** Container's id → its process. */
  readonly #shims = new Map<string, number>();
  /** Ids of those that there were at the last look, running or not. */
  ids: string[] = [];

  /** @param socket of an engine of test/support/docker.ts */
  constructor(socket: string, platformId: string) {
    this.#engine = new Engine(socket);
    this.#enginePid = Number(readFileSync(join(dirname(socket), 'pid'), 'utf8'));
    this.#label = `${PLATFORM_LABEL}=${platformId}`;
  }

  /** Asks the engine; everything else tells what was found. */
  async look(): Promise<void> {
    this.ids = (await this.#engine.containersLabelled(this.#label)).sort();
    for (const id of this.ids) {
      if (this.#seen.has(id)) continue;
      const found = await this.#engine.client.json<Inspected>({ method: 'GET', path: `/containers/${id}/json` }).catch(() => undefined);
      // Until it is started it has none of these.
      if (found?.State.Running !== true) continue;
      const places = [found.GraphDriver?.Data?.MergedDir, found.NetworkSettings?.SandboxKey];
      this.#seen.set(id, [id, ...places.filter((place): place is string => Boolean(place))]);
    }
  }

  /** Of every container seen, gone or not. */
  get everSeen(): readonly string[] {
    return [...this.#seen.keys()];
  }

  /** Of containers that are gone, in the namespace of the engine. */
  forgottenMounts(): string[] {
    const marks = [...this.#seen].filter(([id]) => !this.ids.includes(id)).flatMap(([, places]) => places);
    return readFileSync(`/proc/${this.#enginePid}/mountinfo`, 'utf8')
      .split('\n')
      .filter((line) => marks.some((mark) => line.includes(mark)));
  }

  /** The processes that containers' processes are children of. */
  shims(): number[] {
    for (const [id, pid] of this.#shims) if (containerOf(pid) !== id) this.#shims.delete(id);
    // The whole table is read only for somebody new.
    if (this.ids.some((id) => this.#seen.has(id) && !this.#shims.has(id))) {
      for (const pid of readdirSync('/proc').map(Number)) {
        const id = pid > 1 ? containerOf(pid) : undefined;
        if (id !== undefined && this.#seen.has(id)) this.#shims.set(id, pid);
      }
    }
    return [...this.#shims.values()];
  }

  close(): void {
    this.#engine.close();
  }
}

/** Id of the container that this process is the shim of. */
function containerOf(pid: number): string | undefined {
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    return argv[0]?.includes('containerd-shim') ? argv[argv.indexOf('-id') + 1] : undefined;
  } catch {
    return undefined;
  }
}
