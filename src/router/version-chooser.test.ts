import { describe, expect, it } from 'vitest';
import type { FunctionVersion } from '../schemas/function.ts';
import { chooseVersions, isSplit } from './choose-versions.ts';
import { Router, type RouteTarget } from './router.ts';
import { stickyPoint, VersionChooser } from './version-chooser.ts';

const version = (number: number, functionName = 'echo'): FunctionVersion => ({ functionName, number, eventKey: 'http|GET|/echo' }) as FunctionVersion;

/** Steps evenly through 0 to 1, so that shares come out exactly. */
function evenly(steps: number): () => number {
  let step = 0;
  return () => (step++ % steps) / steps;
}

function chooserOf(weights: Record<number, number>, options: { sticky?: string; current?: number; random?: () => number } = {}): VersionChooser {
  const weighted = Object.entries(weights).map(([number, weight]) => ({ version: version(Number(number)), weight }));
  return new VersionChooser(weighted, version(options.current ?? 1), options.sticky ?? null, options.random ?? evenly(1000));
}

function shares(choose: (index: number) => FunctionVersion, calls = 1000): Record<number, number> {
  const counts: Record<number, number> = {};
  for (let index = 0; index < calls; index++) {
    const { number } = choose(index);
    counts[number] = (counts[number] ?? 0) + 1;
  }
  return counts;
}

describe('VersionChooser', () => {
  it('gives every version its share of calls', () => {
    const chooser = chooserOf({ 1: 70, 2: 20, 3: 10 });
    expect(shares(() => chooser.choose(undefined))).toEqual({ 1: 700, 2: 200, 3: 100 });
  });

  it('gives a version of weight 0 no call, at the ends of the scale neither', () => {
    const chooser = chooserOf({ 1: 0, 2: 100, 3: 0 });
    expect(shares(() => chooser.choose(undefined))).toEqual({ 2: 1000 });
    for (const end of [0, 1 - Number.EPSILON / 2]) {
      expect(chooserOf({ 1: 0, 2: 100, 3: 0 }, { random: () => end }).choose(undefined).number).toBe(2);
      expect(chooserOf({ 4: 0, 3: 50, 2: 50, 1: 0 }, { random: () => end }).choose(undefined).number).toBe(end === 0 ? 3 : 2);
    }
  });

  it('keeps callers of one value with one version, in shares near the weights', () => {
    const chooser = chooserOf({ 1: 90, 2: 10 }, { sticky: 'x-user' });
    const counts = shares((index) => chooser.choose(`user-${index}`), 10_000);
    // Fixed by the hash, so these are no chances: 10 % of 10,000, within four standard deviations.
    expect(counts[2]).toBeGreaterThan(880);
    expect(counts[2]).toBeLessThan(1120);
    for (let index = 0; index < 100; index++) expect(chooser.choose(`user-${index}`)).toBe(chooser.choose(`user-${index}`));
  });

  it('chooses at random for calls without the sticky header, and without a sticky header for all', () => {
    const sticky = chooserOf({ 1: 50, 2: 50 }, { sticky: 'x-user' });
    expect(shares(() => sticky.choose(undefined))).toEqual({ 1: 500, 2: 500 });
    const random = chooserOf({ 1: 50, 2: 50 });
    expect(shares(() => random.choose('valera'))).toEqual({ 1: 500, 2: 500 });
  });

  it('keeps the callers that the newest version has when its weight is raised', () => {
    const users = Array.from({ length: 1000 }, (_, index) => `user-${index}`);
    const onNewest = (weight: number) => {
      const chooser = chooserOf({ 1: 100 - weight, 2: weight }, { sticky: 'x-user' });
      return users.filter((user) => chooser.choose(user).number === 2);
    };
    const [few, many] = [onNewest(10), onNewest(40)];
    expect(few.length).toBeGreaterThan(0);
    expect(many).toEqual(expect.arrayContaining(few));
    expect(onNewest(0)).toEqual([]);
    expect(onNewest(100)).toEqual(users);
  });

  it('hashes by SHA-256 over name, line feed and value, as documented', () => {
    // printf 'echo\nvalera' | sha256sum | cut -c1-8
    expect(stickyPoint('echo', 'valera')).toBe(0x621bad90 / 2 ** 32);
    expect(stickyPoint('echo', 'valera')).not.toBe(stickyPoint('other', 'valera'));
  });

  it('reaches by number what is in the split, whatever its weight, and the current version', () => {
    const chooser = chooserOf({ 2: 100, 3: 0 }, { current: 5 });
    expect([2, 3, 5].map((number) => chooser.named(number)?.number)).toEqual([2, 3, 5]);
    expect([1, 4, 0, Number.NaN].map((number) => chooser.named(number))).toEqual([undefined, undefined, undefined, undefined]);
  });
});

describe('chooseVersions', () => {
  function targetsOf(...functions: [version: FunctionVersion, chooser: VersionChooser | null][]): readonly RouteTarget[] {
    const router = new Router();
    for (const [current, chooser] of functions) router.put(current, chooser);
    const match = router.match('GET', '/echo');
    if (match.kind !== 'found') throw new Error('no route');
    return match.targets;
  }

  const noHeader = () => undefined;
  const numbers = (targets: readonly RouteTarget[]) => targets.map(({ version: { functionName, number } }) => `${functionName}@${number}`);

  it('knows whether there is anything to choose', () => {
    expect(isSplit(targetsOf([version(1), null]))).toBe(false);
    expect(isSplit(targetsOf([version(1, 'other'), null], [version(1), chooserOf({ 1: 100 })]))).toBe(true);
  });

  it('asks for the sticky header of the split, and for no other', () => {
    const asked: string[] = [];
    const targets = targetsOf([version(1), chooserOf({ 1: 50, 2: 50 }, { sticky: 'x-user' })]);
    const choose = (value: string) =>
      numbers(
        chooseVersions(targets, undefined, (name) => {
          asked.push(name);
          return value;
        }),
      );
    expect(choose('a')).toEqual(choose('a'));
    expect(new Set(Array.from({ length: 50 }, (_, index) => choose(`${index}`)[0]))).toEqual(new Set(['echo@1', 'echo@2']));
    expect(new Set(asked)).toEqual(new Set(['x-user']));
  });

  it('lets an override reach a version of weight 0, and the current one without a split', () => {
    expect(numbers(chooseVersions(targetsOf([version(1), chooserOf({ 1: 100, 2: 0 })]), '2', noHeader))).toEqual(['echo@2']);
    expect(numbers(chooseVersions(targetsOf([version(7), null]), '7', noHeader))).toEqual(['echo@7']);
  });

  it.each(['3', '0', '-1', '1.0', ' 1', '', 'latest', '01', '9'.repeat(30)])('refuses the override %j', (override) => {
    const targets = targetsOf([version(1), chooserOf({ 1: 100, 2: 0 })]);
    expect(() => chooseVersions(targets, override, noHeader)).toThrow(expect.objectContaining({ code: 'unknown_version', status: 404 }));
  });

  it('applies an override to the functions of a key that have that version, and the others run as ever', () => {
    const targets = targetsOf([version(1), chooserOf({ 1: 100, 2: 0 })], [version(9, 'other'), null]);
    expect(numbers(chooseVersions(targets, '2', noHeader))).toEqual(['echo@2', 'other@9']);
    expect(numbers(chooseVersions(targets, '9', noHeader))).toEqual(['echo@1', 'other@9']);
    expect(() => chooseVersions(targets, '5', noHeader)).toThrow('echo, other');
  });

  it('keeps the parameters of the path', () => {
    const router = new Router();
    const at = (number: number) => ({ ...version(number), eventKey: 'http|GET|/cats/:id' });
    router.put(at(1), new VersionChooser([{ version: at(2), weight: 100 }], at(1), null, () => 0));
    const match = router.match('GET', '/cats/7');
    if (match.kind !== 'found') throw new Error('no route');
    expect(chooseVersions(match.targets, undefined, noHeader)).toMatchObject([{ version: { number: 2 }, params: { id: '7' } }]);
  });
});
