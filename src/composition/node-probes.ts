import { randomUUID } from 'node:crypto';
import type { Config } from '../config.ts';
import type { Probe, SandboxDriver } from '../sandbox/driver.ts';
import { inspectNode, type NodeInterpreter } from '../sandbox/node/inspect-node.ts';
import { type HostRuntime, nodeNames } from '../sandbox/runtimes.ts';
import { NODE_AGENT_FOLDER } from './files.ts';
import { nodeBoot } from './node-runtimes.ts';

const TMP_BYTES = 1024 * 1024;

/** A Node.js that `sandbox.node` names, and what it says of itself. */
interface Candidate {
  /** As the setting has it. */
  program: string;
  found: NodeInterpreter | Error;
}

export interface NodeExamination {
  /** Those that can be used. They have the agent where it was installed, so that nothing is written. */
  runtimes: readonly HostRuntime[];
  /** Starts a sandbox of each. Never rejects. */
  probe(driver: Pick<SandboxDriver, 'create' | 'networks'>): Promise<Probe[]>;
}

/** For `hearth doctor`: which Node.js functions may have, and whether they run. */
export async function examineNodes(config: Config): Promise<NodeExamination> {
  const candidates = await Promise.all(
    config.sandbox.node.map(async (program): Promise<Candidate> => {
      const found = await inspectNode(program === 'auto' ? process.execPath : program, config.toolPath).catch((error: Error) => error);
      return { program, found };
    }),
  );
  const named = candidates.map(({ program, found }, index) => ({ program, found, runtime: describe(config, found, index) }));
  return {
    runtimes: named.flatMap(({ runtime }) => runtime ?? []),
    async probe(driver) {
      if (named.length === 0) return [{ name: 'node', ok: true, detail: 'none, so that no functions run in Node.js: sandbox.node is empty' }];
      return Promise.all(
        named.map(async ({ program, found, runtime }): Promise<Probe> => {
          const name = `node ${program}`;
          if (runtime === undefined)
            return { name, ok: false, detail: `${(found as Error).message} The platform does not start with it in sandbox.node` };
          const about = `${runtime.version}, ${runtime.files.executable}, for ${runtime.names.join(' and ')}; ${npmOf(runtime)}`;
          if (!driver.networks().includes('none')) return { name, ok: false, detail: `${about}; not tried: see the failed checks above` };
          const trouble = await start(driver, runtime);
          return { name, ok: trouble === undefined, detail: trouble === undefined ? about : `${about}; no sandbox of it starts: ${trouble}` };
        }),
      );
    },
  };
}

function describe(config: Config, found: NodeInterpreter | Error, index: number): HostRuntime | undefined {
  if (found instanceof Error) return undefined;
  const { version, files, npm } = found;
  return { ...nodeBoot(config, NODE_AGENT_FOLDER, version), names: nodeNames(version, index), version, files, installer: npm };
}

function npmOf({ installer }: HostRuntime): string {
  return installer === null ? 'no npm, so that no packages can be installed: install npm' : `npm ${installer.version}`;
}

/** @returns what went wrong */
async function start(driver: Pick<SandboxDriver, 'create'>, { names }: HostRuntime): Promise<string | undefined> {
  const runtime = names.at(-1) ?? 'nodejs';
  try {
    const sandbox = await driver.create({ id: `doctor-${randomUUID()}`, runtime, layers: [], network: 'none', tmpBytes: TMP_BYTES });
    sandbox.kill();
    await sandbox.exited;
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
