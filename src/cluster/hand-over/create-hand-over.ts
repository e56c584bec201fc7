import type { FunctionVersion } from '../../schemas/function.ts';
import type { HandOverReadings } from '../../telemetry/metrics/hand-over-metrics.ts';
import { type Advert, MAX_ADVERTISED, parseAdvert, versionKey } from './advert.ts';
import { encodeFrame } from './frame.ts';
import { HandOver, type HandOverParts, type Runner } from './hand-over.ts';
import { Link, type LinkParts } from './link.ts';
import { Peers } from './peers.ts';
import { TakeOver, type TakeOverParts } from './take-over.ts';

/** Adverts go out so often while something has changed; else at every fourth. Milliseconds. */
const ADVERT_MS = 250;
const QUIET_ADVERTS = 4;

export interface HandOverSettings extends Pick<HandOverParts, 'node' | 'cores' | 'maxReplyBytes'>, Pick<TakeOverParts, 'version' | 'record'> {
  connection: LinkParts['connection'];
  cluster: string;
  runner: Runner & { warmth(): Iterable<{ version: FunctionVersion; freeSlots: number; startMs: number | undefined }> };
  /** Instances more that the machine has room for. */
  room(): number;
  log: HandOverParts['log'];
}

/** Calls go between this node and others. `invoker` takes the scheduler's place for whoever has callers that wait. */
export interface HandOvers {
  readonly invoker: HandOver;
  /** For the metrics. */
  readonly readings: HandOverReadings;
  start(): void;
  /** Takes no more over. Resolves once no other node has a call of this one in hand, or after so many milliseconds. */
  drain(timeoutMs: number): Promise<void>;
  /** Says what is left to be said. The connection is closed after it. */
  close(): Promise<void>;
}

/** Connects to nothing yet. */
export function createHandOver(settings: HandOverSettings): HandOvers {
  const { node, runner } = settings;
  const peers = new Peers(node.id);
  const link: Link = new Link(
    { ...settings, nodeId: node.id },
    {
      onAsker: (frame) => taken.receive(frame),
      onRunner: (frame) => invoker.receive(frame),
      onAdvert: (content) => {
        const advert = parseAdvert(content);
        if (advert) peers.heard(advert, performance.now());
      },
      onReturned: (queue, type, id) => {
        peers.gone(queue);
        invoker.gone(queue, type === 'request' ? id : null);
        taken.gone(queue);
      },
      onUp: () => advertise(),
      onDown: () => {
        invoker.lost();
        taken.lost();
      },
    },
  );
  const invoker = new HandOver({ ...settings, link, peers });
  const taken = new TakeOver({ ...settings, link });

  const describe = (queue: string): Advert => {
    const quiet = taken.isDraining;
    const warm: Advert['warm'] = [];
    if (!quiet) {
      for (const { version, freeSlots, startMs = 0 } of runner.warmth()) {
        if (warm.length === MAX_ADVERTISED) break;
        warm.push([versionKey(version), freeSlots, Math.ceil(startMs)]);
      }
    }
    return { id: node.id, name: node.name, queue, room: quiet ? 0 : settings.room(), load: runner.open, cores: settings.cores, warm };
  };
  let last = '';
  let quietFor = 0;
  const advertise = (): void => {
    const { queue } = link;
    if (queue === null) return;
    const text = JSON.stringify(describe(queue));
    if (text === last && ++quietFor < QUIET_ADVERTS) return;
    last = text;
    quietFor = 0;
    link.advertise(Buffer.from(text));
  };
  /** Nodes that say nothing any more may have died with a call in hand, or with one that they have asked for: only the broker knows. */
  const probe = (): void => {
    const now = performance.now();
    for (const queue of new Set([...invoker.queues(), ...taken.queues()])) {
      if (!peers.isFresh(queue, now)) link.ask(queue, 'probe', '', encodeFrame(null));
    }
  };
  let timer: NodeJS.Timeout | undefined;
  return {
    invoker,
    get readings() {
      const heard = peers.fresh(performance.now()).length;
      return { handed: invoker.counts, handedOpen: invoker.open, taken: taken.counts, takenOpen: taken.open, heard };
    },
    start() {
      link.start();
      timer = setInterval(() => {
        advertise();
        if (invoker.open + taken.open > 0) probe();
      }, ADVERT_MS);
    },
    async drain(timeoutMs) {
      taken.drain();
      advertise();
      await invoker.settled(timeoutMs);
    },
    async close() {
      clearInterval(timer);
      await link.close();
    },
  };
}
