import { HearthError } from '../errors.ts';

/** Where a database is, who we are there, and how the connection is protected. */
export interface DatabaseAddress {
  /** A name, an address, or the folder of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Empty: what PGPASSWORD or the file ~/.pgpass says. */
  readonly password: string;
  readonly database: string;
  readonly tls: TlsMode;
  /** Files; null: none is named. */
  readonly rootCertificate: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  /** Settings of the session, as libpq's `options`. */
  readonly options: string;
  /** For logs and errors: without user and password. */
  readonly shown: string;
}

/** `require` encrypts and trusts whoever answers; `verify-ca` trusts whom the root certificate has signed; `verify-full` asks for the right name too. */
const TLS_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

const PARAMETERS = ['host', 'user', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'options'];

/**
 * Reads a connection URI of libpq (postgresql.org/docs/current/libpq-connect.html, 34.1.1.2) with one host: `postgres://user:password@host:port/database?sslmode=…`.
 * Without a database it is the user's name, without a user `postgres`.
 * @throws HearthError invalid_config that does not repeat the URL, since a password may be in it
 */
export function databaseAddress(text: string): DatabaseAddress {
  const invalid = (what: string) =>
    new HearthError('invalid_config', `Configuration: database.url ${what}. It comes from the configuration file or HEARTH_DATABASE_URL.`);
  const decode = (part: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw invalid('has a % that begins no percent encoding; write %25 for it');
    }
  };
  const url = URL.parse(text);
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || url.hash !== '' || url.hostname.includes(',')) {
    throw invalid('is to be of the form postgres://user:password@host:5432/database, with one host and every special character in percent encoding');
  }
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) throw invalid(`has the parameter ${name}; there are ${PARAMETERS.join(', ')}`);
  }
  const parameter = (name: string) => url.searchParams.get(name) || null;
  const mode = parameter('sslmode') ?? 'disable';
  const tls = TLS_MODES.find((known) => known === mode);
  if (tls === undefined) throw invalid(`has the sslmode ${mode}; there are ${TLS_MODES.join(', ')}`);
  const rootCertificate = parameter('sslrootcert');
  if (tls === 'verify-ca' && rootCertificate === null)
    throw invalid('has the sslmode verify-ca, which needs sslrootcert, a file with the certificate to trust');
  const host = parameter('host') ?? (decode(url.hostname).replace(/^\[|\]$/g, '') || 'localhost');
  const port = url.port === '' ? 5432 : Number(url.port);
  const user = decode(url.username) || parameter('user') || 'postgres';
  const database = decode(url.pathname.slice(1)) || user;
  return {
    host,
    port,
    user,
    password: decode(url.password),
    database,
    // As in libpq: with a certificate to trust, `require` asks for it.
    tls: tls === 'require' && rootCertificate !== null ? 'verify-ca' : tls,
    rootCertificate,
    certificate: parameter('sslcert'),
    key: parameter('sslkey'),
    options: parameter('options') ?? '',
    shown: `${host.startsWith('/') ? host : `${url.hostname || host}:${port}`}/${database}`,
  };
}
