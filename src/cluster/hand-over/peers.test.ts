import { expect, test } from 'vitest';
import { type Advert, parseAdvert } from './advert.ts';
import { OwnStarts } from './own-starts.ts';
import { FRESH_MS, Peers } from './peers.ts';

const ADVERT: Advert = { id: 'b', name: 'node-b', queue: 'q1', room: 4, load: 1, cores: 2, warm: [['hello@1', 2, 70]] };

test('what a node said counts until it is old, or the broker knows better', () => {
  const peers = new Peers('a');
  peers.heard(ADVERT, 0);
  peers.heard({ ...ADVERT, id: 'a' }, 0);
  expect(peers.fresh(FRESH_MS).map(({ id }) => id)).toEqual(['b']);
  expect(peers.isFresh('q1', FRESH_MS)).toBe(true);
  expect(peers.fresh(FRESH_MS + 1)).toEqual([]);
  expect(peers.isFresh('q1', FRESH_MS + 1)).toBe(false);
  peers.heard({ ...ADVERT, queue: 'q2' }, 5000);
  // Of the node before its restart.
  peers.gone('q1');
  expect(peers.fresh(5000)).toHaveLength(1);
  peers.gone('q2');
  expect(peers.fresh(5000)).toEqual([]);
});

test('what was given to a node since is taken into account until it is over, or its next advert comes', () => {
  const peers = new Peers('a');
  peers.heard(ADVERT, 0);
  const [peer] = peers.fresh(0);
  peers.gave('b', 'hello@1')();
  const free = peers.gave('b', 'hello@1');
  expect([peer?.freeSlots('hello@1'), peer?.freeSlots('other@1'), peer?.load, peer?.startMs('hello@1'), peer?.startMs('other@1')]).toEqual([
    1,
    0,
    2,
    70,
    undefined,
  ]);
  peers.heard({ ...ADVERT }, 1);
  free();
  expect([peer?.freeSlots('hello@1'), peer?.load]).toEqual([2, 1]);
});

test('the way to a node is what it took of late, whatever it was thought to be', () => {
  const peers = new Peers('a');
  peers.heard(ADVERT, 0);
  for (let call = 0; call < 30; call++) peers.measured('b', 11);
  expect(peers.fresh(0)[0]?.roundTripMs).toBeCloseTo(11, 1);
});

test('adverts are taken as they are meant, or not at all', () => {
  expect(parseAdvert(Buffer.from(JSON.stringify(ADVERT)))).toEqual(ADVERT);
  for (const text of ['', '{', 'null', '{}', JSON.stringify({ ...ADVERT, room: 'much' }), JSON.stringify({ ...ADVERT, warm: [['x']] })])
    expect(parseAdvert(Buffer.from(text))).toBeUndefined();
});

test('an instance of its own is worth it once handing over has cost as much, of what is called often enough', () => {
  const own = new OwnStarts();
  const often = Array.from({ length: 40 }, (_, call) => own.spent('often', 4, 80, call * 100));
  // 80 / 4 calls and a little more, since older ones count less; then anew.
  expect(often.indexOf(true)).toBeGreaterThanOrEqual(19);
  expect(often.indexOf(true)).toBeLessThan(25);
  expect(often.filter(Boolean)).toHaveLength(1);
  const rarely = Array.from({ length: 500 }, (_, call) => own.spent('rarely', 4, 80, call * 5000));
  expect(rarely).not.toContain(true);
});
