import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** 127.0.0.0/8, ::1 and their mapped forms (RFC 6890), and the name localhost (RFC 6761 §6.3). IPv6 addresses with or without brackets. */
export function isLoopback(host: string): boolean {
  const name = withoutBrackets(host).toLowerCase();
  if (name === 'localhost') return true;
  // Made anew: this is asked at the start, and once for each request of the control plane.
  const loopback = new BlockList();
  loopback.addSubnet('127.0.0.0', 8, 'ipv4');
  loopback.addAddress('::1', 'ipv6');
  if (isIPv4(name)) return loopback.check(name, 'ipv4');
  return isIPv6(name) && loopback.check(name, 'ipv6');
}

export function withoutBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
