import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { until } from './hearth.ts';

/** A span as OTLP carries it. Instants are nanoseconds since the epoch. */
export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  tracestate: string;
  name: string;
  kind: number;
  start: bigint;
  end: bigint;
  flags: number;
  attributes: Record<string, unknown>;
  links: { traceId: string; spanId: string }[];
  status: { code: number; message: string };
  resource: Record<string, unknown>;
}

export const KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;

/** Takes traces by OTLP over HTTP in protobuf, and keeps them. Its fields' numbers are those of opentelemetry-proto 1. */
export class OtlpReceiver implements AsyncDisposable {
  readonly #server: Server;
  readonly spans: ReceivedSpan[] = [];
  readonly requests: IncomingMessage[] = [];
  /** Answers in the place of 200 while it returns true. */
  refuse: (response: ServerResponse) => boolean = () => false;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      this.requests.push(request);
      if (this.refuse(response)) return;
      const body = Buffer.concat(chunks);
      this.spans.push(...decodeRequest(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body));
      response.writeHead(200, { 'Content-Type': 'application/x-protobuf' }).end();
    });
  }

  /** @param port 0: any */
  static async start(port = 0): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    receiver.#server.listen(port, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The spans of that trace, once those names are among them. */
  trace(traceId: string, names: readonly string[]): Promise<ReceivedSpan[]> {
    return until(() => {
      const spans = this.spans.filter((span) => span.traceId === traceId);
      const left = [...names];
      for (const { name } of spans) if (left.includes(name)) left.splice(left.indexOf(name), 1);
      return left.length === 0 && spans;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

function decodeRequest(bytes: Buffer): ReceivedSpan[] {
  return messages(bytes, 1).flatMap((resourceSpans) => {
    const resource = attributesOf(messages(messages(resourceSpans, 1)[0] as Buffer, 1));
    return messages(resourceSpans, 2).flatMap((scopeSpans) => messages(scopeSpans, 2).map((span) => decodeSpan(span, resource)));
  });
}

function decodeSpan(bytes: Buffer, resource: Record<string, unknown>): ReceivedSpan {
  const fields = [...read(bytes)];
  const one = (number: number) => fields.find((field) => field.number === number)?.value;
  const hex = (number: number) => ((one(number) as Buffer | undefined) ?? Buffer.alloc(0)).toString('hex');
  const text = (number: number) => ((one(number) as Buffer | undefined) ?? '').toString();
  const status = [...read((one(15) as Buffer | undefined) ?? Buffer.alloc(0))];
  return {
    traceId: hex(1),
    spanId: hex(2),
    tracestate: text(3),
    parentSpanId: hex(4),
    name: text(5),
    kind: Number(one(6) ?? 0),
    start: one(7) as bigint,
    end: one(8) as bigint,
    flags: Number(one(16) ?? 0),
    attributes: attributesOf(messages(bytes, 9)),
    links: messages(bytes, 13).map((link) => {
      const [traceId, spanId] = [1, 2].map((number) => (messages(link, number)[0] as Buffer).toString('hex')) as [string, string];
      return { traceId, spanId };
    }),
    status: {
      code: Number(status.find(({ number }) => number === 3)?.value ?? 0),
      message: String(status.find(({ number }) => number === 2)?.value ?? ''),
    },
    resource,
  };
}

function attributesOf(pairs: Buffer[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [value] = read(messages(pair, 2)[0] as Buffer);
      return [(messages(pair, 1)[0] as Buffer).toString(), value && anyValue(value)];
    }),
  );
}

function anyValue({ number, value }: Field): unknown {
  if (number === 1) return value.toString();
  if (number === 2) return value !== 0n;
  if (number === 3) return Number(BigInt.asIntN(64, value as bigint));
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value as bigint);
  return bytes.readDoubleLE();
}

interface Field {
  number: number;
  /** Bytes of what has a length, the number of all else. */
  value: Buffer | bigint;
}

function messages(bytes: Buffer, number: number): Buffer[] {
  return [...read(bytes)].flatMap((field) => (field.number === number ? [field.value as Buffer] : []));
}

/** The fields of a message, by the wire format of protobuf. */
function* read(bytes: Buffer): Iterable<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    switch (tag & 7) {
      case 0:
        yield { number, value: varint() };
        break;
      case 1:
        yield { number, value: bytes.readBigUInt64LE(at) };
        at += 8;
        break;
      case 2: {
        const length = Number(varint());
        yield { number, value: bytes.subarray(at, at + length) };
        at += length;
        break;
      }
      case 5:
        yield { number, value: BigInt(bytes.readUInt32LE(at)) };
        at += 4;
        break;
      default:
        throw new Error(`a field of wire type ${tag & 7}`);
    }
  }
}
