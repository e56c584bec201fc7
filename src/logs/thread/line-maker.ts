import type { StoredLogLine } from '../../schemas/log-line.ts';
import type { Mask } from '../../secrets/mask.ts';
import { type OutputRecord, RecordKind, type SourceDescription } from '../output-records.ts';
import { LineCutter } from './line-cutter.ts';
import { type LineContent, readLine } from './read-line.ts';
import { maskOf, StreamingMask } from './streaming-mask.ts';

/** Streams of one source that have a line under way; of more the oldest one's line ends there. */
const MAX_STREAMS = 4096;

interface Source {
  description: SourceDescription;
  masking: { mask: Mask; values: readonly string[] } | undefined;
  streams: Map<string, LineCutter>;
}

/** From records of output to lines. */
export class LineMaker {
  readonly #maxChars: number;
  readonly #onLine: (line: StoredLogLine) => void;
  readonly #sources = new Map<number, Source>();
  /** Of the record that is being taken. */
  #time = 0;

  constructor(maxChars: number, onLine: (line: StoredLogLine) => void) {
    this.#maxChars = maxChars;
    this.#onLine = onLine;
  }

  take(record: OutputRecord): void {
    const { kind, correlationId, payload } = record;
    this.#time = record.time;
    if (kind === RecordKind.Source) {
      this.#describe(record.source, JSON.parse(payload.toString()) as SourceDescription);
      return;
    }
    const source = this.#sources.get(record.source);
    if (!source) return;
    if (kind === RecordKind.Stdout || kind === RecordKind.Stderr) this.#streamOf(source, kind, correlationId).push(payload);
    else if (kind === RecordKind.CallEnd) this.#endCall(source, correlationId);
    else if (kind === RecordKind.SourceEnd) this.#end(record.source, source);
    else this.#say(source, correlationId, JSON.parse(payload.toString()) as Omit<LineContent, 'stream'>);
  }

  /** Nothing more comes of any source. @param time of the lines that end by it */
  end(time: number): void {
    this.#time = time;
    for (const [number, source] of this.#sources) this.#end(number, source);
  }

  #describe(number: number, description: SourceDescription): void {
    const known = this.#sources.get(number);
    // What it printed before it knew any secret has none in it.
    if (known) for (const key of [...known.streams.keys()]) this.#endStream(known, key);
    this.#sources.set(number, { description, masking: maskOf(description.secrets), streams: new Map() });
  }

  #streamOf(source: Source, kind: 0 | 1, correlationId: string): LineCutter {
    const key = `${kind}${correlationId}`;
    const known = source.streams.get(key);
    if (known) return known;
    const oldest = source.streams.size >= MAX_STREAMS ? source.streams.keys().next().value : undefined;
    if (oldest !== undefined) this.#endStream(source, oldest);
    const { masking } = source;
    const name = kind === RecordKind.Stdout ? 'stdout' : 'stderr';
    const cutter = new LineCutter(this.#maxChars, masking && new StreamingMask(masking.values, masking.mask), (text) =>
      this.#emit(source, correlationId, readLine(text, name, masking?.mask)),
    );
    source.streams.set(key, cutter);
    return cutter;
  }

  #say(source: Source, correlationId: string, said: Omit<LineContent, 'stream'>): void {
    const mask = source.masking?.mask;
    const message = said.message.slice(0, this.#maxChars);
    this.#emit(source, correlationId, { ...said, stream: 'log', message: mask ? mask(message) : message });
  }

  #endCall(source: Source, correlationId: string): void {
    this.#endStream(source, `${RecordKind.Stdout}${correlationId}`);
    this.#endStream(source, `${RecordKind.Stderr}${correlationId}`);
  }

  #endStream(source: Source, key: string): void {
    source.streams.get(key)?.end();
    source.streams.delete(key);
  }

  #end(number: number, source: Source): void {
    for (const key of [...source.streams.keys()]) this.#endStream(source, key);
    this.#sources.delete(number);
  }

  #emit({ description }: Source, correlationId: string, content: LineContent): void {
    this.#onLine({
      time: this.#time,
      function_name: description.functionName,
      version: description.version,
      instance_id: description.instanceId,
      correlation_id: correlationId === '' ? null : correlationId,
      ...content,
    });
  }
}
