import { endianness } from 'node:os';
import { type Destination, RESOLVER } from '../bubblewrap/network.ts';

/**
 * The routes and rules of `closingBatch` (../bubblewrap/network.ts) as rtnetlink requests (rtnetlink(7), linux/rtnetlink.h,
 * linux/fib_rules.h), which a newborn sandbox sends itself while it still may.
 */

const RTM_NEWROUTE = 24;
const RTM_NEWRULE = 32;
/** NLM_F_REQUEST, ACK, EXCL, CREATE. */
const FLAGS = 0x605;
const AF_INET = 2;
const TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
/** RTN_UNREACHABLE and FR_ACT_UNREACHABLE. */
const UNREACHABLE = 7;
const FR_ACT_TO_TBL = 1;
const RTA_DST = 1;
const FRA_DST = 1;
const FRA_PRIORITY = 6;
const FRA_IP_PROTO = 22;
const FRA_DPORT_RANGE = 24;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const DNS_PORT = 53;

/** Requests one after another, each aligned to 4 bytes and asking for an acknowledgement. */
export function closingMessages(shut: readonly Destination[]): Buffer {
  const resolver = bytesOf(RESOLVER);
  const dns = (priority: number, protocol: number) =>
    rule(FR_ACT_TO_TBL, TABLE_MAIN, resolver, priority, [
      attribute(FRA_IP_PROTO, Buffer.of(protocol)),
      attribute(FRA_DPORT_RANGE, Buffer.concat([u16(DNS_PORT), u16(DNS_PORT)])),
    ]);
  return Buffer.concat([
    dns(100, IPPROTO_UDP),
    dns(101, IPPROTO_TCP),
    rule(UNREACHABLE, 0, resolver, 102, []),
    ...shut.map(({ address, prefix }) => unreachable(bytesOf(address), prefix)),
  ]);
}

/** struct rtmsg: family, prefix lengths of destination and source, tos, table, protocol, scope, type, u32 flags. */
function unreachable(destination: Buffer, prefix: number): Buffer {
  const head = Buffer.of(AF_INET, prefix, 0, 0, TABLE_MAIN, RTPROT_BOOT, 0, UNREACHABLE, 0, 0, 0, 0);
  return message(RTM_NEWROUTE, [head, attribute(RTA_DST, destination)]);
}

/** struct fib_rule_hdr: family, prefix lengths of destination and source, tos, table, two reserved, action, u32 flags. */
function rule(action: number, table: number, destination: Buffer, priority: number, attributes: Buffer[]): Buffer {
  const head = Buffer.of(AF_INET, 32, 0, 0, table, 0, 0, action, 0, 0, 0, 0);
  return message(RTM_NEWRULE, [head, attribute(FRA_DST, destination), attribute(FRA_PRIORITY, u32(priority)), ...attributes]);
}

/** struct nlmsghdr: u32 length, u16 type, u16 flags, u32 sequence number, u32 port. */
function message(type: number, parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([u32(16 + body.length), u16(type), u16(FLAGS), u32(0), u32(0), body]);
}

/** struct rtattr: u16 length, u16 type; padded to 4 bytes. */
function attribute(type: number, value: Buffer): Buffer {
  return Buffer.concat([u16(4 + value.length), u16(type), value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}

function bytesOf(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

/** Netlink speaks the machine's own byte order. */
function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  if (endianness() === 'LE') bytes.writeUInt16LE(value);
  else bytes.writeUInt16BE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  if (endianness() === 'LE') bytes.writeUInt32LE(value);
  else bytes.writeUInt32BE(value);
  return bytes;
}
