import fc from 'fast-check';
import { expect, it } from 'vitest';
import { methodFrame, PROTOCOL_HEADER } from '../../../src/reply/amqp/server-frames.ts';
import { createReplyEndpoint } from '../../../src/reply/create-reply-endpoint.ts';
import { body, declare, frame, header, openChannel, publish, RawClient, settle } from './raw-client.ts';

const ID = 'running';

/** Frames that make sense somewhere, in an order that rarely does, and now and then bytes that make none. */
const piece: fc.Arbitrary<Buffer> = fc.oneof(
  fc.nat(3).map(openChannel),
  fc.tuple(fc.nat(3), fc.constantFrom(ID, 'other', '')).map(([channel, queue]) => declare(channel, queue)),
  fc.tuple(fc.nat(3), fc.constantFrom(ID, 'other')).map(([channel, key]) => publish(channel, key)),
  fc.tuple(fc.nat(3), fc.nat(2000)).map(([channel, size]) => header(channel, size)),
  fc.tuple(fc.nat(3), fc.uint8Array({ maxLength: 1200 })).map(([channel, bytes]) => body(channel, Buffer.from(bytes))),
  fc
    .tuple(fc.nat(3), fc.constantFrom(10, 20, 40, 50, 60, 85, 90), fc.nat(130), fc.uint8Array({ maxLength: 60 }))
    .map(([channel, classId, methodId, args]) => methodFrame(channel, classId, methodId, Buffer.from(args))),
  fc.tuple(fc.nat(9), fc.nat(3), fc.uint8Array({ maxLength: 60 })).map(([type, channel, bytes]) => frame(type, channel, Buffer.from(bytes))),
);

/** What a fault of the endpoint's own would show itself as. */
function fixture() {
  const warnings: object[] = [];
  const delivered: number[] = [];
  const endpoint = createReplyEndpoint(
    { maxMessageBytes: 1000, maxConnectionsPerInbox: 4 },
    { debug: () => undefined, warn: (fields) => warnings.push(fields) },
  );
  const inbox = {
    accepts: (id: string) => id === ID,
    deliver: (_id: string, message: { body: Buffer }) => {
      delivered.push(message.body.length);
    },
  };
  return { warnings, delivered, endpoint, inbox };
}

it('meets any sequence of frames by the protocol, never by a fault of its own', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
      const { warnings, delivered, endpoint, inbox } = fixture();
      const client = await new RawClient(endpoint, inbox).connect();
      await client.send(...pieces);
      expect(warnings).toEqual([]);
      expect(delivered.every((length) => length <= 1000)).toBe(true);
      client.stream.end();
      endpoint.close();
      await settle();
    }),
    { numRuns: 400 },
  );
});

it('ends connections that send garbage, before and after the protocol header', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.uint8Array({ minLength: 8, maxLength: 2000 }), async (withHeader, garbage) => {
      const { warnings, delivered, endpoint, inbox } = fixture();
      const client = new RawClient(endpoint, inbox);
      await client.send(...(withHeader ? [PROTOCOL_HEADER] : []), Buffer.from(garbage));
      client.stream.end();
      await settle();
      expect(client.ended).toBe(true);
      expect(warnings).toEqual([]);
      expect(delivered).toEqual([]);
      endpoint.close();
    }),
    { numRuns: 300 },
  );
});
