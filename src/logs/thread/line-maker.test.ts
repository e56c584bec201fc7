import { describe, expect, it } from 'vitest';
import type { StoredLogLine } from '../../schemas/log-line.ts';
import { type OutputRecord, putRecord, RecordKind, readRecords, recordBytes, type SourceDescription } from '../output-records.ts';
import { LineMaker } from './line-maker.ts';
import { readLine } from './read-line.ts';

const SECRET = 'correct-horse-battery';
const KEY = '-----BEGIN KEY-----\nabcdef\n-----END KEY-----';

/** Makes lines of what a source writes, in the pieces in which it comes. */
class Made {
  readonly lines: StoredLogLine[] = [];
  readonly #maker: LineMaker;

  constructor(secrets: readonly string[] = [], maxChars = 200) {
    this.#maker = new LineMaker(maxChars, (line) => this.lines.push(line));
    this.describe(secrets);
  }

  describe(secrets: readonly string[]): this {
    const description: SourceDescription = { functionName: 'f', version: 2, instanceId: 'i', secrets };
    return this.take(RecordKind.Source, '', JSON.stringify(description));
  }

  take(kind: RecordKind, correlationId: string, payload: string | Buffer): this {
    const record: OutputRecord = { kind, source: 7, time: 1000, correlationId, payload: Buffer.from(payload as string) };
    this.#maker.take(record);
    return this;
  }

  out(...pieces: (string | Buffer)[]): this {
    for (const piece of pieces) this.take(RecordKind.Stdout, 'c', piece);
    return this;
  }

  get texts(): string[] {
    return this.lines.map(({ message }) => message);
  }
}

describe('records of output', () => {
  it('come out of a buffer as they went in', () => {
    const buffer = Buffer.alloc(recordBytes('zürich', 3) + recordBytes('', 0));
    const next = putRecord(buffer, 0, RecordKind.Stderr, 4_000_000_000, 1234.5, 'zürich', Buffer.from('a\nb'));
    const end = putRecord(buffer, next, RecordKind.SourceEnd, 1, 2, '', null);
    const records = [...readRecords(buffer, end)].map((record) => ({ ...record, payload: record.payload.toString() }));
    expect(records).toEqual([
      { kind: RecordKind.Stderr, source: 4_000_000_000, time: 1234.5, correlationId: 'zürich', payload: 'a\nb' },
      { kind: RecordKind.SourceEnd, source: 1, time: 2, correlationId: '', payload: '' },
    ]);
  });
});

describe('lines', () => {
  it('are made of whatever pieces they come in', () => {
    const whole = Buffer.from('one\r\n\nzwölf\nthree');
    const made = new Made().out(...[...whole].map((byte) => Buffer.from([byte])));
    expect(made.texts).toEqual(['one', 'zwölf']);
    expect(made.take(RecordKind.CallEnd, 'c', '').texts).toEqual(['one', 'zwölf', 'three']);
    expect(made.lines[0]).toMatchObject({ function_name: 'f', version: 2, instance_id: 'i', correlation_id: 'c', time: 1000 });
  });

  it('of calls and streams that print at once are kept apart', () => {
    const made = new Made();
    made.take(RecordKind.Stdout, 'a', 'a1 ').take(RecordKind.Stdout, 'b', 'b1 ').take(RecordKind.Stderr, 'a', 'error\n');
    made.take(RecordKind.Stdout, 'a', 'a2\n').take(RecordKind.Stdout, '', 'outside\n').take(RecordKind.SourceEnd, '', '');
    expect(made.lines.map(({ correlation_id: id, stream, message }) => [id, stream, message])).toEqual([
      ['a', 'stderr', 'error'],
      ['a', 'stdout', 'a1 a2'],
      [null, 'stdout', 'outside'],
      ['b', 'stdout', 'b1 '],
    ]);
  });

  it('are cut at a bound, and say so', () => {
    const made = new Made([], 80).out('x'.repeat(50), 'x'.repeat(50), 'x'.repeat(1000), '\nshort\n');
    expect(made.texts).toEqual([`${'x'.repeat(80)} … 1020 characters more`, 'short']);
  });

  it('have no secret, in whatever pieces it comes', () => {
    const text = `a ${SECRET} b\n${KEY}\ncorrect-horse, no more\n`;
    for (const size of [1, 2, 7, 1000]) {
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, n) => text.slice(n * size, (n + 1) * size));
      expect(new Made([SECRET, KEY, 'short']).out(...pieces).texts, `${size}`).toEqual(['a *** b', '***', 'correct-horse, no more']);
    }
  });

  it('have neither of two secrets when one is part of the other, or runs into it', () => {
    expect(new Made(['abcdefgh', 'abcdefgh-ijkl']).out('abcdefgh', '-ijkl\n', 'abcdefgh', '!\n').texts).toEqual(['***', '***!']);
    expect(new Made(['12345678', '5678abcdefgh']).out('12345678', 'abc\n').texts).toEqual(['***abc']);
  });

  it('show what only looked like a secret once the call is over', () => {
    const made = new Made([SECRET]).out('correct-hor');
    expect(made.texts).toEqual([]);
    expect(made.take(RecordKind.CallEnd, 'c', '').texts).toEqual(['correct-hor']);
  });

  it('have no secret that JSON writes otherwise', () => {
    const secret = 'say "hello" twice';
    const [line] = new Made([secret]).out(`${JSON.stringify({ msg: `x ${secret}`, deep: [{ value: secret }] })}\n`).lines;
    expect(line).toMatchObject({ message: 'x ***', fields: { deep: [{ value: '***' }] } });
  });

  it('of what the platform says are masked too', () => {
    const made = new Made([SECRET]).take(RecordKind.Said, 'c', JSON.stringify({ level: 'error', message: `no ${SECRET}`, fields: { code: 'x' } }));
    expect(made.lines).toMatchObject([{ stream: 'log', level: 'error', message: 'no ***', fields: { code: 'x' } }]);
  });
});

describe('what a line says of itself', () => {
  it.each([
    ['plain', 'stdout', { stream: 'stdout', level: 'info', message: 'plain', fields: null }],
    ['plain', 'stderr', { stream: 'stderr', level: 'error', message: 'plain', fields: null }],
    ['WARNING low', 'stderr', { stream: 'log', level: 'warn', message: 'low', fields: null }],
    ['INFO:     Started server', 'stderr', { stream: 'stderr', level: 'info', message: 'INFO:     Started server', fields: null }],
    ['[ERROR]\tno', 'stdout', { stream: 'stdout', level: 'error', message: '[ERROR]\tno', fields: null }],
    ['INFORMATION', 'stdout', { stream: 'stdout', level: 'info', message: 'INFORMATION', fields: null }],
    ['{"level":40,"msg":"low","pid":7}', 'stdout', { stream: 'log', level: 'warn', message: 'low', fields: { pid: 7 } }],
    ['{"severity":"CRITICAL","message":"x"}', 'stdout', { stream: 'log', level: 'fatal', message: 'x', fields: {} }],
    ['{"n":1}', 'stderr', { stream: 'log', level: 'error', message: '{"n":1}', fields: { n: 1 } }],
    ['{not json}', 'stdout', { stream: 'stdout', level: 'info', message: '{not json}', fields: null }],
    ['{"level":"loud","msg":7}', 'stdout', { stream: 'log', level: 'info', message: '{"level":"loud","msg":7}', fields: { level: 'loud', msg: 7 } }],
  ] as const)('%s on %s', (text, stream, content) => {
    expect(readLine(text, stream)).toEqual(content);
  });
});
