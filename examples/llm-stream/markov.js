// What stands in for a language model: a Markov chain, which draws each word from those that followed the one before it in a text.
import { readFileSync } from 'node:fs';

const words = readFileSync(new URL('corpus.txt', import.meta.url), 'utf8')
  .split(/\s+/)
  .filter(Boolean);
const bare = (word) => word.toLowerCase().replace(/[^a-z-]/g, '');
const followers = new Map();
for (const [at, word] of words.entries()) {
  const next = words[at + 1];
  if (next) followers.set(bare(word), [...(followers.get(bare(word)) ?? []), next]);
}

/** Up to `count` tokens that go on from the prompt; the same ones for the same seed. */
export function* tokens(prompt, count, seed) {
  const random = generator(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  let last = bare(prompt.trim().split(/\s+/).at(-1) ?? '');
  for (let made = 0; made < count; made++) {
    const word = pick(followers.get(last) ?? words);
    yield ` ${word}`;
    last = bare(word);
  }
}

/** Numbers below 1 that look random (mulberry32); Math.random takes no seed. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
