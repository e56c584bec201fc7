import { accessSync, constants } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onEveryDriver } from './support/arena.ts';

/** Tries each address and tells what came of it. */
const REACH = `
import socket
def reach(host, port):
    try:
        with socket.create_connection((host, port), timeout=1.5) as connection:
            connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            return "reached" if connection.recv(16) else "closed"
    except OSError as error:
        return "no"
def datagram(host, port):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
        try: s.sendto(b"hostile", (host, port))
        except OSError: pass
def handler(message, context):
    for host, port in message["body"]: datagram(host, port)
    return {f"{host} {port}": reach(host, port) for host, port in message["body"]}
`;

const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));

onEveryDriver('the network', (arena) => {
  let listener: Server;
  let connections = 0;
  let port = 0;

  beforeAll(async () => {
    listener = createServer((socket) => {
      connections++;
      socket.on('error', () => undefined).end('reached');
    });
    await new Promise<void>((resolve) => listener.listen(0, '::', resolve));
    port = (listener.address() as { port: number }).port;
  });
  afterAll(() => listener.close());

  /** Everything that would be the host, the platform or a cloud's metadata. */
  const forbidden = () => {
    const ports = [port, Number(new URL(arena.hearth.gateway).port), Number(new URL(arena.hearth.api).port)];
    const hosts = ['127.0.0.1', '127.1.2.3', '0.0.0.0', '::1', '::ffff:127.0.0.1', '10.0.2.2', ...addresses];
    const metadata = ['169.254.169.254', '100.100.100.200', '168.63.129.16', '192.0.0.192', 'fd00:ec2::254'];
    return [...hosts.flatMap((host) => ports.map((one) => [host, one])), ...metadata.map((host) => [host, 80])];
  };
  const mayOpenTun = () => {
    try {
      accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
      return true;
    } catch {
      return false;
    }
  };

  it('none reaches nothing: not the host, the platform, nor the metadata of a cloud', async () => {
    const name = await arena.define(REACH, { network: 'none' });
    const init = { method: 'POST', body: JSON.stringify(forbidden()) };
    const found = (await arena.withNeighbour(() => arena.call(name, { init }))).json() as Record<string, string>;
    expect(Object.entries(found).filter(([, what]) => what !== 'no')).toEqual([]);
    expect(connections).toBe(0);
  });

  it('egress reaches neither host, platform nor metadata; where it can not be had, it is refused in words', async () => {
    if (arena.driver !== 'docker' && !mayOpenTun()) {
      const body = { event_type: 'http|*|/out', function_name: 'out', function_code: REACH, network: 'egress' };
      const response = await arena.hearth.post('/functions', body);
      expect([response.status, await response.json()]).toEqual([503, expect.objectContaining({ code: 'network_unavailable' })]);
      return;
    }
    const name = await arena.define(REACH, { network: 'egress', timeout_ms: 40_000 });
    // By TCP, in one function for each host: what is dropped rather than refused takes its time.
    const targets = forbidden();
    const hosts = [...new Set(targets.map(([host]) => host))];
    await arena.withNeighbour(async () => {
      const answers = await Promise.all(
        hosts.map((host) => arena.hearth.call(`/${name}`, { method: 'POST', body: JSON.stringify(targets.filter((target) => target[0] === host)) })),
      );
      for (const answer of answers) {
        expect(answer.status).toBe(200);
        const found = (await answer.json()) as Record<string, string>;
        // An address outside may be anybody's; what must not be is that it is the host.
        expect(Object.entries(found).filter(([, what]) => what === 'reached')).toEqual([]);
      }
    });
    expect(connections).toBe(0);
  });

  it('of one sandbox is not that of another: loopback, abstract sockets and objects of the kernel stay within', async () => {
    const listen = `
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\\0hostile")
abstract.listen()
loopback = socket.create_server(("127.0.0.1", 4711))
broadcast = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
broadcast.bind(("0.0.0.0", 4712))
broadcast.setblocking(False)
def handler(message, context):
    try: heard = broadcast.recv(100).decode()
    except BlockingIOError: heard = None
    open("/dev/shm/sem.hostile", "w").close()
    open("/tmp/hostile.sock", "w").close()
    return [libc.shmget(4711, 4096, 0o1666) >= 0, libc.msgget(4711, 0o1666) >= 0, libc.semget(4711, 1, 0o1666) >= 0, heard]
`;
    const reach = `
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def tried(act):
    try: return bool(act())
    except OSError: return False
def connect(family, address):
    with socket.socket(family) as s:
        s.settimeout(1)
        s.connect(address)
    return True
def handler(message, context):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for host in ("127.0.0.1", "255.255.255.255", "127.255.255.255", "224.0.0.1"): tried(lambda: s.sendto(b"hostile", (host, 4712)))
    return {
        "abstract": tried(lambda: connect(socket.AF_UNIX, "\\0hostile")),
        "loopback": tried(lambda: connect(socket.AF_INET, ("127.0.0.1", 4711))),
        "shared memory": libc.shmget(4711, 4096, 0o666) >= 0,
        "message queue": libc.msgget(4711, 0o666) >= 0,
        "semaphore": libc.semget(4711, 1, 0o666) >= 0,
        "files": os.listdir("/dev/shm") + os.listdir("/tmp"),
        "sockets": "@hostile" in open("/proc/net/unix").read(),
        "vsock": tried(lambda: socket.socket(40, socket.SOCK_STREAM)),
        "packet": tried(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
        "raw": tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
    }
`;
    const one = await arena.define(listen, { network: 'none' });
    const other = await arena.define(reach, { network: 'none' });
    await arena.withNeighbour(async () => {
      expect((await arena.call(one)).json()).toEqual([true, true, true, null]);
      expect((await arena.call(other)).json()).toEqual({
        abstract: false,
        loopback: false,
        'shared memory': false,
        'message queue': false,
        semaphore: false,
        files: [],
        sockets: false,
        vsock: false,
        packet: false,
        raw: false,
      });
      expect((await arena.call(one)).json()).toEqual([true, true, true, null]);
    });
  });
});
