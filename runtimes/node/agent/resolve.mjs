// Makes the names of the reply endpoint and of services resolve where /etc/hosts doesn't know them (the driver without isolation).

import dns from 'node:dns';
import { readFileSync } from 'node:fs';

/** Patches `dns.lookup`, by which sockets find addresses. @param load names by `streamListen` and `services` */
export function makeResolvable({ streamListen = null, services = [] }) {
  const known = readHosts();
  const missing = new Map();
  for (const { name, host } of [...(streamListen === null ? [] : [streamListen]), ...services]) {
    if (name !== host && known.get(name) !== host) missing.set(name, host);
  }
  if (missing.size === 0) return;
  const { lookup } = dns;
  dns.lookup = (name, options, callback) => lookup(missing.get(name) ?? name, options, callback);
  const { lookup: lookupPromise } = dns.promises;
  dns.promises.lookup = (name, options) => lookupPromise(missing.get(name) ?? name, options);
}

function readHosts() {
  const known = new Map();
  let text = '';
  try {
    text = readFileSync('/etc/hosts', 'utf8');
  } catch {
    // Then it knows none.
  }
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    for (const name of names) if (!known.has(name)) known.set(name, address);
  }
  return known;
}
