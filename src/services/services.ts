import { connect as connectTcp, type Socket, type TcpNetConnectOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { RuntimeChannel } from '../protocol/runtime-channel.ts';
import { ServiceStream, type StreamWatch } from '../protocol/service-stream.ts';

/** What functions reach by a name, without a network of their own: the operator's explicit list. */
export interface Service {
  /** The host name that functions connect to. */
  name: string;
  /** That functions connect to: the one that clients expect. */
  port: number;
  /** Where the platform connects to, now. */
  target: () => ServiceTarget;
  /** Of each connection. */
  watch?: () => StreamWatch;
}

export interface ServiceTarget {
  host: string;
  port: number;
  tls?: Pick<ConnectionOptions, 'ca' | 'servername'>;
}

export interface ServicesLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;

/** Connects functions with services. Holds nothing but what it has connected, which ends with its sandbox. */
export class Services {
  readonly #byName: ReadonlyMap<string, Service>;
  readonly #log: ServicesLog;
  /** Those that the last attempt could not reach: told once, and once more when they are back. */
  readonly #away = new Set<string>();

  constructor(services: readonly Service[], log: ServicesLog) {
    this.#byName = new Map(services.map((service) => [service.name, service]));
    this.#log = log;
  }

  /** @param name one of the services that were given @param onGone called once, when the connection to the service is closed for good */
  connect(name: string, channel: RuntimeChannel, stream: number, onGone: () => void): ServiceStream {
    const service = this.#byName.get(name) as Service;
    const socket = this.#dial(service);
    return new ServiceStream(channel, stream, socket, service.watch?.() ?? null, onGone);
  }

  #dial(service: Service): Socket {
    const { name } = service;
    const target = service.target();
    const where = { host: target.host, port: target.port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
    const options: TcpNetConnectOpts = { ...where, allowHalfOpen: true };
    const socket = target.tls ? connectTls({ ...options, ...target.tls }) : connectTcp(options);
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${CONNECT_TIMEOUT_MS} ms`)), CONNECT_TIMEOUT_MS);
    let connected = false;
    socket.once(target.tls ? 'secureConnect' : 'connect', () => {
      connected = true;
      clearTimeout(timer);
      if (this.#away.delete(name)) this.#log.warn({ service: name }, 'a service can be reached again');
    });
    socket.once('close', () => clearTimeout(timer));
    socket.once('error', (error) => {
      const fields = { service: name, host: target.host, port: target.port, reason: error.message };
      if (connected || this.#away.has(name)) this.#log.debug(fields, 'a connection to a service broke');
      else {
        this.#away.add(name);
        this.#log.warn(fields, 'a service that functions may use can not be reached');
      }
    });
    return socket;
  }
}
