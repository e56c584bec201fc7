import type { GroupLimits } from './group.ts';
import type { GroupEnd, GroupKind, KeeperSettings } from './group-keeper.ts';
import type { Place } from './locate.ts';

/** What the main thread and the one that writes to cgroups say to each other. */

export interface ThreadData {
  settings: KeeperSettings;
  /** See locate.ts. */
  parent: string;
  /** File that remembers where groups were made; null: nothing is remembered and nothing left over is looked for. */
  stateFile: string | null;
  pid: number;
}

/** Comes first. */
export interface Opening {
  places: Readonly<Record<string, Place>>;
  reasons: Readonly<Record<string, string>>;
  leftovers: { ended: number; stuck: string[] };
}

export interface Operations {
  join(group: number, kind: GroupKind, pid: number): boolean;
  limit(group: number, limits: Partial<GroupLimits>): void;
  oomKills(group: number): number;
  end(group: number): Promise<GroupEnd>;
  close(): Promise<void>;
}

export interface ThreadRequest {
  id: number;
  operation: keyof Operations;
  args: readonly unknown[];
}

export type ThreadResponse = { id: number; value: unknown } | { id: number; error: string };
