export interface LeadershipListener {
  /** This process fires from now on. */
  won(): void;
  /** Not any more: somebody else may fire before this returns. Told in the turn in which it is known. */
  lost(): void;
}

/** Which of several processes fires schedules. */
export interface Leadership {
  /** Nobody else can have fired while this process was not there: what is due when it begins was missed. */
  readonly alone: boolean;
  /** Begins to try for it; `won` and `lost` are told by turns. */
  start(listener: LeadershipListener): void;
  /** Gives it up, without a word to the listener. Never rejects. */
  close(): Promise<void>;
}

/** Of a platform that is alone. */
export const ALWAYS: Leadership = {
  alone: true,
  start: (listener) => listener.won(),
  close: async () => undefined,
};
