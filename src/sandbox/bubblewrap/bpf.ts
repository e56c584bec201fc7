/** Classic BPF (linux/filter.h), as far as system call filters need it. */

export type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number];

// struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6]. Both architectures are little-endian.
export const OFFSET_NR = 0;
export const OFFSET_ARCH = 4;
const offsetOfArgument = (index: number) => 16 + 8 * index;

const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const MASK = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP = 0x05; // BPF_JMP | BPF_JA
const JUMP_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_NOT_BELOW = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K
const LONGEST_CONDITIONAL_JUMP = 255;

export const load = (offset: number): Instruction => [LOAD, 0, 0, offset];
/** The low half of an argument, which is all that the kernel looks at where the argument is an int. */
export const loadArgument = (index: number): Instruction => load(offsetOfArgument(index));
export const mask = (bits: number): Instruction => [MASK, 0, 0, bits];
export const verdict = (value: number): Instruction => [RETURN, 0, 0, value];
/** Goes on when what was loaded is one of these, and ends with the verdict otherwise. */
export const oneOf = (values: readonly number[], otherwise: number): Instruction[] => [
  ...values.map((value, index): Instruction => [JUMP_EQUAL, values.length - index, 0, value]),
  verdict(otherwise),
];
/** Runs `then` when what was loaded is the value, and goes on behind it otherwise. */
export const when = (value: number, then: readonly Instruction[]): Instruction[] => [[JUMP_EQUAL, 0, then.length, value], ...then];

/** From this system call number on, up to the next range: what to return, or instructions that end in a verdict. */
export interface Range {
  from: number;
  leaf: number | readonly Instruction[];
}

/**
 * A binary search for the number that was loaded. Sorted by `from`, the first at 0.
 * It is balanced and not ordered by frequency: since Linux 5.11 the kernel finds out when a filter is loaded which numbers it allows
 * whatever the arguments, and doesn't run it for those any more. Short ways for all 450 numbers are what makes that quick.
 */
export function decide(ranges: readonly Range[]): Instruction[] {
  const [first, ...more] = ranges;
  if (first === undefined) throw new Error('There is nothing to decide.');
  if (more.length === 0) return typeof first.leaf === 'number' ? [verdict(first.leaf)] : [...first.leaf];
  const middle = Math.ceil(ranges.length / 2);
  const [below, above] = [ranges.slice(0, middle), ranges.slice(middle)];
  const left = decide(below);
  const from = above[0]?.from ?? 0;
  const branch: Instruction[] =
    left.length <= LONGEST_CONDITIONAL_JUMP
      ? [[JUMP_NOT_BELOW, left.length, 0, from]]
      : [
          [JUMP_NOT_BELOW, 0, 1, from],
          [JUMP, 0, 0, left.length],
        ];
  return [...branch, ...left, ...decide(above)];
}

/** struct sock_filter[]: { u16 code; u8 jt; u8 jf; u32 k; } */
export function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, jumpTrue, jumpFalse, k], index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jumpTrue, index * 8 + 2);
    bytes.writeUInt8(jumpFalse, index * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4);
  });
  return bytes;
}
