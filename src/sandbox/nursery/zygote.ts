import { randomBytes } from 'node:crypto';
import { HearthError } from '../../errors.ts';
import { exitOf, type Launch, type Launcher, launch } from '../bubblewrap/launch.ts';
import type { Plan } from '../bubblewrap/plan.ts';
import type { CgroupHandle } from '../cgroup/cgroups.ts';
import type { SandboxExit } from '../driver.ts';
import { ControlDecoder, type ControlMessage, encodeControl, forkPayload, KIND } from './control.ts';
import { type Connections, Door } from './door.ts';
import { childrenOf, HostPids } from './host-pids.ts';
import { readWaitStatus } from './wait-status.ts';

/** Milliseconds that the imports of all layers may take. */
const READY_PATIENCE_MS = 120_000;
/** Milliseconds after which a zygote that doesn't obey `kill` is killed with all its sandboxes. */
const KILL_PATIENCE_MS = 10_000;

export interface ZygoteStart {
  launcher: Launcher;
  /** Gets the door's path. */
  plan: (door: string) => Plan;
  uid: number | undefined;
  /** Paths inside. */
  entry: string;
  layers: readonly string[];
  /** Modules that are not to be imported in advance. */
  exclude: readonly string[];
  /** What the sandboxes' filter forbids and the zygote's doesn't. */
  seccomp: Buffer;
  /** Its own; sandboxes are born in it and leave it at once. The memory that they share with it stays charged here. */
  group: CgroupHandle | undefined;
}

export interface ReadyReport {
  imported: string[];
  /** Modules that have held a conversation with a peer in advance. */
  rehearsed: string[];
  excluded: string[];
  /** Whether a sandbox's first process is over the agent's memory and has none of its own. */
  sharesMemory: boolean;
}

/** A sandbox's process tree, just forked. */
export interface Newborn {
  connections: Connections;
  /** The first process's id, as the zygote sees it. */
  pid: number;
  networkNamespace: number | undefined;
  exited: Promise<SandboxExit>;
  kill(): void;
}

interface Child {
  forked: PromiseWithResolvers<{ pid: number; networkNamespace: number | undefined }>;
  exited: PromiseWithResolvers<SandboxExit>;
  /** As the zygote sees it. */
  pid: number | undefined;
  patience: NodeJS.Timeout | undefined;
}

/**
 * A zygote, seen from the platform: starting → ready → ended. It ends by itself, by `kill`, or because it turned out unusable; with it
 * every sandbox that it made.
 */
export class Zygote {
  /** Rejects with what went wrong, when it ends before. */
  readonly ready: Promise<ReadyReport>;
  /** Resolves when it and all its sandboxes are gone. Never rejects. */
  readonly ended: Promise<void>;
  /** Modules that it found it must not import after all: to be given to its successor. */
  exclude: readonly string[];
  readonly uid: number | undefined;
  readonly #door: Door;
  readonly #running: Launch;
  readonly #ready = Promise.withResolvers<ReadyReport>();
  readonly #children = new Map<string, Child>();
  #pids: HostPids | undefined;
  #reason = '';
  #sharesMemory = false;

  private constructor(door: Door, start: ZygoteStart) {
    this.#door = door;
    this.uid = start.uid;
    this.exclude = start.exclude;
    this.#running = launch(start.launcher, start.plan(door.path), start.uid, start.group !== undefined);
    this.ready = this.#ready.promise;
    this.ready.catch(() => undefined);
    const timer = setTimeout(() => {
      this.#reason = `it was not ready within ${READY_PATIENCE_MS} ms`;
      this.kill();
    }, READY_PATIENCE_MS);
    void this.ready.then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
    const joined = this.#join(start.group);
    this.ended = this.#running.ended.then(async () => {
      await joined;
      if (await start.group?.end()) this.#reason ||= 'its memory was used up';
      this.#end();
    });
    this.#listen(start);
  }

  /** @throws HearthError sandbox_unavailable when not even its process can be started */
  static async start(start: ZygoteStart): Promise<Zygote> {
    const door = await Door.open(start.launcher.temporaryFolder, start.uid).catch((error: Error) => {
      throw new HearthError('sandbox_unavailable', `The zygote's socket could not be made: ${error.message}`, { cause: error });
    });
    try {
      return new Zygote(door, start);
    } catch (error) {
      door.close();
      throw error;
    }
  }

  get living(): number {
    return this.#children.size;
  }

  kill(): void {
    this.#running.kill();
  }

  /**
   * Forks a sandbox; resolves when it has connected.
   * @throws HearthError sandbox_unavailable; then nothing of it is left
   */
  async fork(tmpBytes: number, routes: Buffer, limitMs: number): Promise<Newborn> {
    const token = randomBytes(16);
    const name = token.toString('hex');
    const child: Child = { forked: Promise.withResolvers(), exited: Promise.withResolvers(), pid: undefined, patience: undefined };
    this.#children.set(name, child);
    const kill = () => this.#killChild(token, name, child);
    const connected = this.#door.expect(name);
    this.#running.channel.write(encodeControl(KIND.fork, token, forkPayload(tmpBytes, routes)));
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new HearthError('sandbox_unavailable', `The sandbox did not connect within ${limitMs} ms.`)), limitMs);
      });
      const early = child.exited.promise.then(() => undefined);
      const born = await Promise.race([Promise.all([connected, child.forked.promise]), early, late]);
      if (born === undefined) throw unborn(this.#door.complaint(name) || this.#reason);
      const [connections, forked] = born;
      return { connections, ...forked, exited: child.exited.promise, kill };
    } catch (error) {
      kill();
      await child.exited.promise;
      this.#door.forget(name);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** See ReadyReport. */
  get sharesMemory(): boolean {
    return this.#sharesMemory;
  }

  /** The host's id of one of its sandboxes' first process. */
  async hostPid(inside: number): Promise<number | undefined> {
    return this.#pids?.of(inside);
  }

  /** Never rejects: a zygote that can't be bounded is killed before it has run. */
  async #join(group: CgroupHandle | undefined): Promise<void> {
    if (group === undefined) return;
    try {
      const init = await this.#running.init;
      await group.join(init.pid);
      this.#running.release();
    } catch (error) {
      this.#reason ||= this.#running.output.stderrHead || (error instanceof Error ? error.message : String(error));
      this.kill();
    }
  }

  #listen(start: ZygoteStart): void {
    const decoder = new ControlDecoder();
    const { channel } = this.#running;
    channel.on('data', (chunk: Buffer) => {
      try {
        for (const message of decoder.feed(chunk)) this.#take(message, start);
      } catch (error) {
        this.#reason = error instanceof Error ? error.message : String(error);
        this.kill();
      }
    });
  }

  #take({ kind, token, payload }: ControlMessage, { entry, layers, exclude, seccomp }: ZygoteStart): void {
    const child = this.#children.get(token);
    switch (kind) {
      case KIND.booted:
        this.#door.hide();
        this.#send(KIND.start, { entry, layers, exclude, seccomp: seccomp.toString('base64') });
        break;
      case KIND.ready:
        void this.#becomeReady(JSON.parse(payload.toString()));
        break;
      case KIND.unusable: {
        const found: { reason: string; exclude: string[] } = JSON.parse(payload.toString());
        this.#reason = found.reason;
        this.exclude = found.exclude;
        break;
      }
      case KIND.forked:
        if (child !== undefined) {
          child.pid = payload.readUInt32BE(0);
          child.forked.resolve({ pid: child.pid, networkNamespace: Number(payload.readBigUInt64BE(4)) || undefined });
        }
        break;
      case KIND.refused:
        this.#reason = payload.toString();
        if (child !== undefined) this.#endChild(token, child, { code: null, signal: null });
        break;
      case KIND.exited:
        if (child !== undefined) {
          const { code, signal } = readWaitStatus(payload.readUInt32BE(0));
          this.#endChild(token, child, exitOf(code, signal));
        }
        break;
      default:
        throw new Error(`The zygote sent a control message of kind ${kind}.`);
    }
  }

  /** bwrap's own init has one child, which is the zygote. */
  async #becomeReady(report: ReadyReport): Promise<void> {
    const init = await this.#running.init;
    const [zygote] = await childrenOf(init.pid);
    if (zygote === undefined) return;
    this.#pids = new HostPids(zygote);
    this.#sharesMemory = report.sharesMemory;
    this.#ready.resolve(report);
  }

  #send(kind: number, content: object): void {
    this.#running.channel.write(encodeControl(kind, undefined, Buffer.from(JSON.stringify(content))));
  }

  #killChild(token: Buffer, name: string, child: Child): void {
    if (!this.#children.has(name) || child.patience !== undefined) return;
    this.#running.channel.write(encodeControl(KIND.kill, token));
    child.patience = setTimeout(() => this.kill(), KILL_PATIENCE_MS);
  }

  #endChild(name: string, child: Child, exit: SandboxExit): void {
    clearTimeout(child.patience);
    this.#children.delete(name);
    if (child.pid !== undefined) this.#pids?.forget(child.pid);
    child.exited.resolve(exit);
  }

  /** Once every process below bwrap is gone. */
  #end(): void {
    const said = this.#running.output.stderrHead;
    const why = this.#reason || said || 'it ended without a word';
    this.#reason ||= 'the zygote ended';
    this.#ready.reject(new HearthError('sandbox_unavailable', `The zygote can not be used: ${why}`));
    for (const [name, child] of this.#children) this.#endChild(name, child, { code: null, signal: 'SIGKILL' });
    this.#door.close();
  }
}

function unborn(why: string): HearthError {
  return new HearthError('sandbox_unavailable', `The sandbox could not be forked: ${why || 'it ended without a word'}`);
}
