import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { BuildSpec } from '../../../src/sandbox/driver.ts';
import { unsandboxedBuilder } from '../../support/unsandboxed-builder.ts';
import { harness } from './layers-harness.ts';

/** Runs a shell command in place of pip, in the same way and the same place. */
function shellBuilder(command: string) {
  const real = unsandboxedBuilder();
  return { built: real.built, build: (spec: BuildSpec) => real.build({ ...spec, argv: ['sh', '-c', command] }) };
}

const library = 'mkdir site && cp /dev/null site/library.py';

test('two calls at once share one build', async () => {
  const { layers: open } = harness();
  const builder = shellBuilder(library);
  const layers = open({ builder });
  await layers.start();
  const [one, two] = await Promise.all([layers.ensure('pika', null), layers.ensure('# the same\npika  ', 'messaging')]);
  expect(one).toEqual(two);
  expect(two.name).toBe('messaging');
  expect(await layers.ensure('pika', null)).toEqual(two);
  expect(builder.built).toEqual([`layer-${one.id}`]);
});

test('builds run one at a time', async () => {
  const { layers: open, folder } = harness();
  const lock = join(folder, 'lock');
  // mkdir fails when the folder is there: a second build at the same time would end with an error.
  const layers = open({ builder: shellBuilder(`mkdir ${lock} && ${library} && sleep 0.05 && rmdir ${lock}`) });
  await layers.start();
  await Promise.all(['a', 'b', 'c'].map((name) => layers.ensure(name, null)));
  expect(layers.list().map(({ state, requirements }) => [state, requirements])).toEqual([
    ['ready', 'c'],
    ['ready', 'b'],
    ['ready', 'a'],
    ['ready', ''],
  ]);
});

test('refused requirements are never built', async () => {
  const { layers: open } = harness();
  const builder = shellBuilder(library);
  const layers = open({ builder });
  await layers.start();
  await expect(layers.ensure('pika\n-r other.txt', null)).rejects.toThrow(/Line 2/);
  expect(builder.built).toEqual([]);
  expect(layers.list().filter(({ requirements }) => requirements.includes('pika'))).toEqual([]);
});

test.each([
  ['a link that leads out', `${library} && ln -s /etc site/etc`, /leads out/],
  ['a set-user-id file', `${library} && chmod u+s site/library.py`, /set-user-id/],
  ['a pipe', `${library} && mkfifo site/pipe`, /neither a file/],
  ['a link in place of the folder', 'ln -s /etc site', /not a folder/],
])('a build that makes %s gives no layer', async (_what, command, why) => {
  const { layers: open, folder } = harness();
  const layers = open({ builder: shellBuilder(command) });
  await layers.start();
  await layers.default();
  await expect(layers.ensure('pika', null)).rejects.toMatchObject({ code: 'layer_build_failed', message: expect.stringMatching(why) });
  expect(readdirSync(join(folder, 'layers'))).toEqual([(await layers.default()).id]);
  expect(existsSync('/etc/passwd')).toBe(true);
});

test('a build that grows without end is killed', async () => {
  const { layers: open } = harness();
  const forever = 'mkdir site; while :; do head -c 1048576 /dev/zero >> site/library.py; sleep 0.01; done';
  const layers = open({ builder: shellBuilder(forever), limits: { maxBytes: 1024 ** 2, maxEntries: 10 } });
  await layers.start();
  await expect(layers.ensure('pika', null)).rejects.toThrow(/grew beyond 1 MiB/);
});

test('a name moves to new requirements, and the old layer stays by id until it is removed', async () => {
  const { layers: open, folder } = harness();
  const layers = open({ builder: shellBuilder(library) });
  await layers.start();
  const old = await layers.ensure('pika==1.2', 'messaging');
  const fresh = await layers.ensure('pika==1.3', 'messaging');
  expect(fresh.id).not.toBe(old.id);
  expect(await layers.named('messaging')).toEqual(fresh);
  expect(layers.byId(old.id)).toEqual({ ...old, name: null });
  expect(await layers.remove(old.id)).toBe(true);
  expect(layers.byId(old.id)).toBeUndefined();
  expect(await layers.remove(old.id)).toBe(false);
  await layers.close();
  expect(readdirSync(join(folder, 'layers'))).not.toContainEqual(expect.stringContaining(old.id));

  const again = open({ builder: shellBuilder(library) });
  await again.start();
  expect(await again.named('messaging')).toEqual(fresh);
});

test('a name stays with the working layer when new requirements fail, and moves back at once', async () => {
  const { layers: open } = harness();
  const working = shellBuilder(library);
  const builder = {
    build: (spec: BuildSpec) =>
      spec.inputs['requirements.txt']?.includes('broken') ? shellBuilder('echo no luck; exit 1').build(spec) : working.build(spec),
  };
  const layers = open({ builder });
  await layers.start();
  const one = await layers.ensure('pika==1.2', 'messaging');
  await expect(layers.ensure('broken', 'messaging')).rejects.toThrow(/no luck/);
  expect(await layers.named('messaging')).toEqual(one);
  const two = await layers.ensure('pika==1.3', 'messaging');
  expect(await layers.ensure('pika==1.2', 'messaging')).toEqual(one);
  expect(await layers.named('messaging')).toEqual(one);
  expect(layers.byId(two.id)?.name).toBeNull();
  expect(working.built.length).toBe(2);
});

test('requirements that have a name already can not take another', async () => {
  const { layers: open } = harness();
  const layers = open({ builder: shellBuilder(library) });
  await layers.start();
  await layers.ensure('pika', 'messaging');
  await expect(layers.ensure('pika', 'other')).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('`messaging`') });
  await expect(layers.ensure('redis', 'default')).rejects.toMatchObject({ code: 'conflict' });
  await expect(layers.named('other')).rejects.toMatchObject({ code: 'unknown_layer' });
});

test('a start sweeps what a crash left, without following links, and leaves the rest alone', async () => {
  const { layers: open, folder, store } = harness();
  const before = open({ builder: shellBuilder(library) });
  await before.start();
  const [kept, lost, crashed] = [await before.ensure('a', 'kept'), await before.ensure('b', 'lost'), await before.ensure('c', 'crashed')];
  await before.close();

  const precious = join(folder, 'precious');
  mkdirSync(precious);
  writeFileSync(join(precious, 'file'), 'precious');
  const place = join(folder, 'layers');
  const half = join(place, `${'0'.repeat(32)}.building-abcdef`);
  mkdirSync(join(half, 'site'), { recursive: true });
  symlinkSync(precious, join(half, 'site/link'));
  symlinkSync(precious, join(place, `${'1'.repeat(32)}.removing-abcdef`));
  mkdirSync(join(place, 'f'.repeat(32)));
  writeFileSync(join(place, 'README'), 'not ours');
  rmSync(lost.path, { recursive: true });
  const record = store.records.get(crashed.id);
  if (record === undefined) throw new Error('no record');
  store.records.set(crashed.id, { ...record, state: 'building', readyAt: null, sizeBytes: null });

  const builder = shellBuilder(library);
  const after = open({ builder });
  await after.start();
  expect(readFileSync(join(precious, 'file'), 'utf8')).toBe('precious');
  expect(after.byId(kept.id)).toEqual(kept);
  expect(await after.named('lost')).toEqual(lost);
  expect(readdirSync(place).toSorted()).toEqual(['README', kept.id, lost.id, (await after.default()).id].toSorted());
  expect(store.records.get(crashed.id)).toMatchObject({ state: 'failed', output: expect.stringContaining('The platform stopped') });
  expect(after.byId(crashed.id)).toBeUndefined();
  expect(await after.named('crashed')).toEqual(crashed);
  expect(builder.built.toSorted()).toEqual([`layer-${lost.id}`, `layer-${crashed.id}`].toSorted());
});

test('a layer whose folder is gone at the start comes back by itself, under its id and name', async () => {
  const { layers: open, store } = harness();
  const before = open({ builder: shellBuilder(library) });
  await before.start();
  const [named, unnamed] = [await before.ensure('a', 'named'), await before.ensure('b', null)];
  await before.close();
  rmSync(named.path, { recursive: true });
  rmSync(unnamed.path, { recursive: true });

  const after = open({ builder: shellBuilder(library) });
  await after.start();
  await vi.waitUntil(() => after.byId(named.id) !== undefined && after.byId(unnamed.id) !== undefined);
  expect(await after.named('named')).toEqual(named);
  expect(after.byId(unnamed.id)).toEqual(unnamed);
  await after.close();
  expect(store.records.get(named.id)).toMatchObject({ state: 'ready', name: 'named' });
});

test('a layer whose folder went away is built again', async () => {
  const { layers: open } = harness();
  const layers = open({ builder: shellBuilder(library) });
  await layers.start();
  const layer = await layers.ensure('pika', null);
  rmSync(layer.path, { recursive: true });
  expect(layers.byId(layer.id)).toBeUndefined();
  expect(await layers.ensure('pika', null)).toEqual(layer);
  expect(existsSync(join(layer.path, 'library.py'))).toBe(true);
});

test('an empty default layer is an empty folder, and no build', async () => {
  const { layers: open } = harness();
  const builder = shellBuilder(library);
  const layers = open({ builder, defaultRequirements: '# none\n' });
  await layers.start();
  expect(readdirSync((await layers.default()).path)).toEqual([]);
  expect(builder.built).toEqual([]);
});

test('a failed default layer is logged once, told to everybody, and tried again after a while', async () => {
  const { layers: open, logged } = harness();
  let now = 0;
  const failing = shellBuilder('echo ERROR: no luck; exit 1');
  const working = shellBuilder(library);
  let works = false;
  const builder = { build: (spec: BuildSpec) => (works ? working : failing).build(spec) };
  const layers = open({ builder, defaultRequirements: 'pika', clock: () => now });
  await layers.start();
  const first = await layers.default().catch((error: unknown) => error);
  const second = await layers.default().catch((error: unknown) => error);
  expect(first).toMatchObject({ code: 'layer_build_failed', message: expect.stringMatching(/no luck$/) });
  expect(second).toBe(first);
  expect(failing.built.length).toBe(1);
  expect(logged.filter(({ fields }) => String(fields.output).includes('no luck')).length).toBe(1);
  works = true;
  now += 60_000;
  expect((await layers.default()).name).toBe('default');
  expect((await layers.default()).name).toBe('default');
  expect(working.built.length).toBe(1);
});

test('the default name moves when the operator changes the requirements', async () => {
  const { layers: open } = harness();
  const before = open({ builder: shellBuilder(library), defaultRequirements: 'pika' });
  await before.start();
  const old = await before.default();
  await before.close();
  const after = open({ builder: shellBuilder(library), defaultRequirements: 'redis' });
  await after.start();
  const fresh = await after.default();
  expect(fresh).toMatchObject({ name: 'default' });
  expect(after.byId(old.id)).toEqual({ ...old, name: null });
});

test('a layer that another node has made is made here from what that one wrote down, if the machines are alike', async () => {
  const there = harness();
  const first = there.layers({ builder: shellBuilder(library) });
  await first.start();
  const { id } = await first.ensure('pika', 'messaging');
  const here = harness();
  const store = { ...here.store, layerRecipe: async (wanted: string) => there.store.records.get(wanted) };
  const layers = here.layers({ builder: shellBuilder(library), store });
  await layers.start();
  await layers.default();
  expect(layers.whyMissing(id)).toBeUndefined();
  expect(await layers.restore('0'.repeat(32))).toBeUndefined();
  const [one, two] = await Promise.all([layers.restore(id), layers.restore(id)]);
  expect(one).toEqual({ id, path: join(here.folder, 'layers', id), name: null, runtimes: ['python'] });
  expect(two).toEqual(one);

  const unlike = harness();
  const others = unlike.layers(
    { store: { ...unlike.store, layerRecipe: store.layerRecipe } },
    { interpreter: { version: '3.99.0', abi: 'cpython-399' } },
  );
  await others.start();
  await expect(others.restore(id)).rejects.toMatchObject({ code: 'layer_unavailable', message: expect.stringContaining('another kind of machine') });
  expect(others.whyMissing(id)).toMatchObject({ code: 'layer_unavailable', retryAfter: 30 });
});

test('why a layer is missing is known while it is built, and when it could not be', async () => {
  const { layers: open, folder } = harness();
  const layers = open({ builder: shellBuilder(`while [ ! -e ${folder}/go ]; do sleep 0.01; done; echo 'no such index' >&2; exit 1`) });
  await layers.start();
  const failing = layers.ensure('pika', null).catch(() => undefined);
  const id = layers.list().find(({ requirements }) => requirements === 'pika')?.id as string;
  expect(layers.whyMissing(id)).toMatchObject({ code: 'layer_unavailable', retryAfter: 5, message: expect.stringContaining('being installed') });
  writeFileSync(join(folder, 'go'), '');
  await failing;
  expect(layers.whyMissing(id)).toMatchObject({
    code: 'layer_unavailable',
    retryAfter: 30,
    message: expect.stringContaining('could not be installed'),
  });
});

test('a layer that is removed while it is built ends its build', async () => {
  const { layers: open, folder } = harness();
  const layers = open({ builder: shellBuilder('touch started; sleep 1000') });
  await layers.start();
  const { id: empty } = await layers.default();
  const waiting = layers.ensure('pika', null).catch((error: unknown) => error);
  const queued = layers.ensure('redis', null).catch((error: unknown) => error);
  await vi.waitUntil(() => readdirSync(join(folder, 'layers'), { recursive: true }).some((name) => String(name).endsWith('started')));
  for (const { id, requirements } of layers.list()) if (requirements === 'redis') expect(await layers.remove(id)).toBe(true);
  expect(await queued).toMatchObject({ code: 'layer_build_failed', message: expect.stringContaining('was removed') });
  for (const { id, requirements } of layers.list()) if (requirements === 'pika') expect(await layers.remove(id)).toBe(true);
  expect(await waiting).toMatchObject({ code: 'layer_build_failed', message: expect.stringContaining('was removed') });
  expect(layers.list().map(({ id }) => id)).toEqual([empty]);
  expect(readdirSync(join(folder, 'layers'))).toEqual([empty]);
});

test('closing ends the running build and those that wait, and refuses new ones', async () => {
  const { layers: open, folder, store, logged } = harness();
  const layers = open({ builder: shellBuilder('touch started; sleep 1000') });
  await layers.start();
  const { id: empty } = await layers.default();
  const outcomes = ['a', 'b'].map((text) => layers.ensure(text, null).catch((error: unknown) => error));
  await vi.waitUntil(() => readdirSync(join(folder, 'layers'), { recursive: true }).some((name) => String(name).endsWith('started')));
  await layers.close();
  for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ code: 'draining' });
  await expect(layers.ensure('c', null)).rejects.toMatchObject({ code: 'draining' });
  expect(logged.filter(({ level }) => level === 'error')).toEqual([]);
  expect(readdirSync(join(folder, 'layers'))).toEqual([empty]);
  expect([...store.records.values()].map(({ state }) => state)).toEqual(['ready', 'failed', 'failed']);
});

test('a store that fails is told to whoever asked, and the next try works', async () => {
  const { layers: open, store } = harness();
  let broken = false;
  const putLayer: typeof store.putLayer = async (layer) => {
    if (broken) throw new Error('the disk of the store is gone');
    await store.putLayer(layer);
  };
  const layers = open({ builder: shellBuilder(library), store: { ...store, putLayer } });
  await layers.start();
  await layers.default();
  broken = true;
  await expect(layers.ensure('pika', null)).rejects.toThrow(/the disk of the store is gone/);
  expect(layers.list()[0]).toMatchObject({ state: 'failed' });
  broken = false;
  const layer = await layers.ensure('pika', null);
  expect(store.records.get(layer.id)?.state).toBe('ready');
});

test.skipIf(process.getuid?.() !== 0)('a full disk is called that, by the build and by the platform itself', async () => {
  const { layers: open, folder } = harness();
  const place = join(folder, 'layers');
  mkdirSync(place);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,nr_inodes=4', 'tmpfs', place]);
  onTestFinished(() => void execFileSync('umount', [place]));
  const layers = open({ builder: shellBuilder(`${library} && head -c 4194304 /dev/zero > site/library.py`) });
  await layers.start();
  await layers.default();
  const failure = { code: 'layer_build_failed', message: expect.stringMatching(/the disk of the platform is full/) };
  // Four inodes: the folder itself, the empty default layer, the build's folder, and its site; the fifth is one too many.
  await expect(layers.ensure('pika', null)).rejects.toMatchObject(failure);
  mkdirSync(join(place, 'one'));
  mkdirSync(join(place, 'two'));
  await expect(layers.ensure('pika', null)).rejects.toMatchObject(failure);
  expect(readdirSync(place).toSorted()).toEqual([(await layers.default()).id, 'one', 'two'].toSorted());
});
