import { describe, expect, it } from 'vitest';
import { generateKey, open, parseKey, type SecretKey, seal } from './cipher.ts';

const key = parseKey(generateKey()) as SecretKey;
const sealed = seal(key, { name: 'A', version: 1, updatedAt: 5 }, 'correct horse');

describe('a sealed secret', () => {
  it.for(['', 'correct horse', 'ümläut\n€ 🐴', 'x'.repeat(65_536)])('opens to what it was', (value) => {
    expect(open(key, seal(key, { name: 'A', version: 1, updatedAt: 0 }, value))).toBe(value);
  });

  it('has a nonce of its own each time', () => {
    const nonces = Array.from({ length: 100 }, () => Buffer.from(seal(key, { name: 'A', version: 1, updatedAt: 0 }, 'v').nonce).toString('hex'));
    expect(new Set(nonces).size).toBe(100);
    expect(nonces[0]).toHaveLength(24);
  });

  it('does not open when any one bit of it is another', () => {
    for (const member of ['nonce', 'sealed'] as const) {
      for (let bit = 0; bit < sealed[member].length * 8; bit++) {
        const bytes = Buffer.from(sealed[member]);
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        expect(() => open(key, { ...sealed, [member]: bytes }), `${member}, bit ${bit}`).toThrow();
      }
    }
  });

  it('does not open in the place of another name or version, with another key, cut or empty', () => {
    expect(() => open(key, { ...sealed, name: 'B' })).toThrow();
    expect(() => open(key, { ...sealed, version: 2 })).toThrow();
    expect(() => open(parseKey(generateKey()) as SecretKey, sealed)).toThrow();
    for (let length = 0; length < sealed.sealed.length; length++)
      expect(() => open(key, { ...sealed, sealed: sealed.sealed.subarray(0, length) })).toThrow();
    expect(open(key, sealed)).toBe('correct horse');
  });
});

describe('a key', () => {
  it('is 32 bytes in base64 and nothing else', () => {
    const text = generateKey();
    expect(parseKey(text)?.id).toMatch(/^[0-9a-f]{16}$/);
    expect(parseKey(text)?.id).toBe(parseKey(text)?.id);
    for (const other of ['', 'short', text.slice(1), `${text}AAAA`, text.replace(/./, '!'), Buffer.from(text, 'base64').toString('hex')]) {
      expect(parseKey(other), other).toBeUndefined();
    }
  });
});
