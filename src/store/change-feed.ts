/** What a node has changed. `function`: its versions, which one is current, its traffic split, whether it is there. `name`: the function's, or the secret's. */
export interface StoreChange {
  kind: 'function' | 'api_keys' | 'secret' | 'schedule';
  name: string;
}

/** What other nodes change in the store that this one shares with them; a platform that has its store to itself has no feed. */
export interface ChangeFeed {
  /**
   * To be called before anything is read from the store. From then on every change that another node made is told within a second of its commit, in order; several of one
   * kind and name may be told once, where the last of them stands. After an outage it goes on where it was. A listener that rejects is logged, and the change told
   * again later, a few times, or until the store can be reached. At most one change is being told at a time.
   * @throws HearthError store_unavailable
   */
  start(listener: (change: StoreChange) => Promise<void>): Promise<void>;
  /** Resolves once the listener has returned. */
  close(): Promise<void>;
}
