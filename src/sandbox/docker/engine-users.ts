import type { EngineInfo } from './engine.ts';

/** Whom containers run as: user ids as they are inside, and as the machine counts them. */
export interface EngineUsers {
  /** Inside, of every sandbox; undefined: each has one of its own, the same inside and outside. */
  readonly shared: number | undefined;
  /** Of builds, inside. */
  readonly build: number;
  /** Whom the folder that a build writes to must belong to; undefined: to us. */
  readonly buildOwner: number | undefined;
}

/** The only user id that is sure to be mapped where user ids are, besides root. */
const NOBODY = 65_534;

/** Before the engine was asked. @param buildUid what builds run under when the platform is root */
export function plainUsers(buildUid: number): EngineUsers {
  const own = process.getuid?.() ?? 0;
  // What a build makes must be the platform's to move and remove, which root can do with anybody's.
  return own === 0 ? { shared: undefined, build: buildUid, buildOwner: buildUid } : { shared: undefined, build: own, buildOwner: undefined };
}

/** Engines with userns-remap have a data folder named by the first ids of their range; a rootless engine's root is the user that it runs as, who should be ours too. */
export function engineUsers({ SecurityOptions, DockerRootDir }: EngineInfo, buildUid: number): EngineUsers {
  if (SecurityOptions.some((option) => option.includes('name=rootless'))) return { shared: NOBODY, build: 0, buildOwner: undefined };
  if (!SecurityOptions.some((option) => option.includes('name=userns'))) return plainUsers(buildUid);
  const first = Number(/\/(\d+)\.\d+$/.exec(DockerRootDir)?.[1] ?? 0);
  return { shared: NOBODY, build: NOBODY, buildOwner: first + NOBODY };
}
