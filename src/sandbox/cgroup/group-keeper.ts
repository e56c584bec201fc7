import { type Claim, yieldGroups } from './claim-groups.ts';
import { foldersOf, Group, type GroupLimits, type Places } from './group.ts';
import { endLeftovers } from './leftovers.ts';

/** What a group is for; each kind has limits of its own. */
export type GroupKind = 'sandbox' | 'zygote' | 'build';

export interface KeeperSettings {
  /** Begins the names of all groups. */
  prefix: string;
  limits: Readonly<Record<GroupKind, GroupLimits>>;
  /** Groups for sandboxes that are kept ready, so that a start needn't wait for their making. */
  spares: number;
}

export interface GroupEnd {
  oomKills: number;
  /** False: processes in it can't be killed, or the kernel keeps it for another reason. */
  removed: boolean;
}

/** All groups of a platform, by ids that its callers choose. A group is made (or taken from the spare ones) when the first process joins it. */
export class GroupKeeper {
  readonly #claim: Claim;
  readonly #places: Places;
  readonly #settings: KeeperSettings;
  readonly #groups = new Map<number, Group>();
  readonly #spare: Group[] = [];
  #made = 0;

  constructor(claim: Claim, settings: KeeperSettings) {
    this.#claim = claim;
    this.#places = claim.places;
    this.#settings = settings;
  }

  /** Ends groups that the platform's predecessor has left. @param before folders that it may have made some in, besides those that we do */
  endLeftovers(before: readonly string[]): Promise<{ ended: number; stuck: string[] }> {
    return endLeftovers([...new Set([...before, ...foldersOf(this.#places)])], this.#settings.prefix);
  }

  /** False when there is no such process (any more). @throws the error of the file system */
  join(id: number, kind: GroupKind, pid: number): boolean {
    let group = this.#groups.get(id);
    if (group === undefined) {
      group = (kind === 'sandbox' ? this.#spare.pop() : undefined) ?? this.#make(kind);
      this.#groups.set(id, group);
    }
    return group.join(pid);
  }

  /** Nothing, for a group that nobody has joined. @throws the error of the file system */
  limit(id: number, limits: Partial<GroupLimits>): void {
    this.#groups.get(id)?.limit(limits);
  }

  oomKills(id: number): number {
    return this.#groups.get(id)?.oomKills() ?? 0;
  }

  async end(id: number): Promise<GroupEnd> {
    const group = this.#groups.get(id);
    if (group === undefined) return { oomKills: 0, removed: true };
    this.#groups.delete(id);
    const oomKills = group.oomKills();
    return { oomKills, removed: await group.end() };
  }

  /** Makes one spare group, if there are too few. True: there may be more to do. */
  stockOne(): boolean {
    if (this.#spare.length >= this.#settings.spares) return false;
    this.#spare.push(this.#make('sandbox'));
    return true;
  }

  /** Ends all there are. */
  async close(): Promise<void> {
    const all = [...this.#groups.values(), ...this.#spare.splice(0)];
    this.#groups.clear();
    await Promise.all(all.map((group) => group.end()));
    yieldGroups(this.#claim);
  }

  #make(kind: GroupKind): Group {
    return Group.make(this.#places, `${this.#settings.prefix}-${this.#made++}`, this.#settings.limits[kind]);
  }
}
