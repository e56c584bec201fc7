import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { HearthError } from './errors.ts';
import { otelSettings } from './telemetry/traces/otel-environment.ts';
import { SAMPLERS } from './telemetry/traces/sampler.ts';

/**
 * The one place that reads the environment and the configuration file. Sources, later ones winning: defaults, the JSON file named by
 * HEARTH_CONFIG, the environment. Names of the environment are HEARTH_ and the path in capitals: gateway.port is HEARTH_GATEWAY_PORT.
 */

const MIB = 1024 * 1024;
const port = (fallback: number) =>
  Type.Integer({ minimum: 0, maximum: 65_535, default: fallback, description: 'Port that it listens on; 0: one that is free.' });
/** Of timers; longer ones would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;
const millis = (fallback: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: LONGEST_MS, default: fallback, description: `${description} In milliseconds.` });
/** Of what is compared with a clock. */
const age = (fallback: number, description: string) =>
  Type.Integer({ minimum: 1, default: fallback, description: `${description} In milliseconds.` });
const bytes = (fallback: number, description: string, ofMachine?: OfMachine) =>
  Type.Integer({ minimum: 1024, default: fallback, description: `${description} In bytes.`, ...ofMachine });
/** Of defaults that differ from machine to machine: what docs/reference/configuration.md says in their place. */
interface OfMachine {
  'x-default': string;
}
const strict = { additionalProperties: false };

export const ConfigSchema = Type.Object(
  {
    gateway: Type.Object(
      {
        host: Type.String({ default: '127.0.0.1', description: 'Address that the gateway listens on.' }),
        port: port(5000),
        max_body_bytes: bytes(6 * MIB, 'Largest request body.'),
        max_streamed_body_bytes: bytes(1024 * MIB, 'Largest request body of a function that is given it as it comes.'),
        max_reply_bytes: bytes(6 * MIB, 'Largest reply that is buffered; streamed ones have no bound.'),
        max_header_bytes: Type.Integer({
          minimum: 1024,
          maximum: 128 * 1024,
          default: 16 * 1024,
          description: 'Size of all request headers together. In bytes.',
        }),
        max_headers: Type.Integer({ minimum: 8, maximum: 1000, default: 100, description: 'Number of request headers.' }),
        headers_timeout_ms: millis(10_000, 'For the request line and headers to arrive.'),
        request_timeout_ms: millis(60_000, 'For the whole request to arrive.'),
        keep_alive_ms: millis(65_000, 'An idle connection is kept for.'),
        stream_idle_ms: millis(60_000, 'A streamed reply, a streamed request body or a WebSocket may pause for.'),
        min_read_bytes_per_s: Type.Integer({
          minimum: 1,
          default: 8192,
          description: 'Callers are to read complete answers at this rate on average, or are cut. In bytes a second.',
        }),
        max_connections: Type.Integer({ minimum: 1, default: 10_000, description: 'Connections at a time; callers beyond that are answered 503.' }),
        body_memory_bytes: bytes(defaultBodyMemory(), 'What the bodies of all requests that are read or wait for their answer may hold together.', {
          'x-default': 'a 16th of the memory, 64 MiB at least',
        }),
        trusted_proxies: Type.Array(Type.String(), {
          default: [],
          description: 'Addresses and ranges (10.0.0.0/8) of proxies whose X-Forwarded-* headers are believed; those of others are taken out.',
        }),
      },
      strict,
    ),
    api: Type.Object(
      {
        host: Type.String({ default: '127.0.0.1', description: 'Address that the control plane listens on.' }),
        port: port(8000),
        public_url: Type.String({
          default: '',
          description: 'URL at which callers reach the control plane, for the Location of a 202; empty: the address that it listens on.',
        }),
        auth: Type.Union([Type.Literal('auto'), Type.Literal('required'), Type.Literal('off')], {
          default: 'auto',
          description: 'Whether a token is needed. auto: unless it listens on a loopback address and is known under no other name.',
        }),
        admin_token: Type.String({ default: '', description: 'A token with the role admin, 32 characters or more; empty: none.' }),
        admin_token_file: Type.String({ default: '', description: 'File that has that token.' }),
        allowed_hosts: Type.Array(Type.String({ pattern: '^[A-Za-z0-9._:\\[\\]-]+$' }), {
          default: [],
          description: "Names besides its address that it is reached by, a proxy's for example: `name` or `name:port`.",
        }),
        audit_keep_ms: age(90 * 24 * 3600_000, 'Entries of the audit log are kept for.'),
      },
      strict,
    ),
    data_dir: Type.String({ minLength: 1, default: 'data', description: 'Everything that survives a restart.' }),
    database: Type.Object(
      {
        url: Type.String({
          default: '',
          description:
            'The PostgreSQL that many platforms keep their state in together: `postgres://user:password@host:5432/database?sslmode=verify-full`; empty: none, the state is in `data_dir`.',
        }),
        max_connections: Type.Integer({
          minimum: 2,
          maximum: 1000,
          default: 10,
          description: 'Connections to it at a time; some more stay open beside them, for what other platforms tell.',
        }),
      },
      strict,
    ),
    node: Type.Object(
      {
        name: Type.String({
          maxLength: 128,
          pattern: '^[A-Za-z0-9._-]*$',
          default: '',
          description: "What this platform is called among others that share its database; empty: the host's name.",
        }),
      },
      strict,
    ),
    sandbox: Type.Object(
      {
        driver: Type.Union([Type.Literal('auto'), Type.Literal('bubblewrap'), Type.Literal('docker'), Type.Literal('process')], {
          default: 'auto',
          description: 'What isolates functions. auto: bubblewrap where it works, else Docker; process: nothing, for machines that have neither.',
        }),
        python: Type.String({
          default: 'auto',
          description: 'The interpreter inside sandboxes: a path, or a name on PATH. auto: /usr/bin/python3 where there is one, else python3.',
        }),
        node: Type.Array(Type.String({ minLength: 1 }), {
          default: ['auto'],
          description:
            'What runs Node.js functions: paths, or names on PATH, of 22.15 or later; auto: the one that runs the platform. The first is `nodejs`, and each is `nodejs` with its major version.',
        }),
        network: Type.Union([Type.Literal('auto'), Type.Literal('none'), Type.Literal('egress'), Type.Literal('host')], {
          default: 'auto',
          description: 'Network of functions that name none. auto: egress where it works, else none.',
        }),
        nursery: Type.Union([Type.Literal('auto'), Type.Literal('off')], {
          default: 'auto',
          description: 'Fork new sandboxes from processes that have interpreter and libraries in memory, where the kernel allows it; off: boot each.',
        }),
        limits: Type.Union([Type.Literal('auto'), Type.Literal('require'), Type.Literal('off')], {
          default: 'auto',
          description:
            'Cgroups that bound each sandbox. auto: where they can be had; require: the platform does not start without those of memory, cpu and pids; off: none.',
        }),
        cgroup_parent: Type.String({
          pattern: '^(/[A-Za-z0-9_.:@-]+)*$',
          default: '',
          description:
            'Cgroup, as a path below the mount of each hierarchy, in which those of sandboxes are made; empty: the one the platform is in.',
        }),
        tmp_bytes: bytes(64 * MIB, 'Size of the private /tmp of a sandbox.'),
        uid_base: Type.Integer({
          minimum: 1,
          // Node.js takes ids below 2³¹, and zygotes have theirs ten millions above.
          maximum: 2_130_000_000,
          default: 1_900_000_000,
          description: 'First of the user ids that sandboxes run as when the platform is root; it takes them from the 20 millions from there on.',
        }),
        extra_binds: Type.Array(Type.String(), { default: [], description: 'Host paths that every sandbox sees read-only at the same place.' }),
      },
      strict,
    ),
    docker: Type.Object(
      {
        socket: Type.String({ minLength: 1, default: '/var/run/docker.sock', description: "Path of the Docker Engine's unix socket." }),
        image: Type.String({ default: '', description: 'Image that Python functions run in; empty: the one that `hearth images build` makes.' }),
        node_images: Type.Array(Type.String({ minLength: 1 }), {
          default: ['auto'],
          description:
            'Images that Node.js functions run in, with Node.js 22.15 or later and Python; auto: the one that `hearth images build` makes. The first is `nodejs`, and each is `nodejs` with its major version.',
        }),
        network: Type.String({
          pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]*$',
          default: 'cloud_net',
          description: "The engine's bridge network that the mode egress is; made when missing.",
        }),
        runtime: Type.String({ default: '', description: "OCI runtime of the engine, runsc for example; empty: the engine's default." }),
        host_data_dir: Type.String({
          pattern: '^(/.*)?$',
          default: '',
          description: 'Where the engine finds `data_dir`, when the platform itself runs in a container; empty: at the same path.',
        }),
        open_egress: Type.Boolean({
          default: false,
          description: "Allow the mode egress although functions then reach the host's own addresses; needed where the platform can't shut those.",
        }),
      },
      strict,
    ),
    bundles: Type.Object(
      {
        max_upload_bytes: bytes(50 * MIB, 'Largest archive that is taken.'),
        max_bytes: bytes(50 * MIB, 'Largest bundle, unpacked. It lies in memory, and is bounded by sandbox.tmp_bytes too.'),
        max_files: Type.Integer({ minimum: 1, maximum: 100_000, default: 10_000, description: 'Files and folders in a bundle.' }),
      },
      strict,
    ),
    pool: Type.Object(
      {
        minimum: Type.Integer({ minimum: 0, maximum: 64, default: 1, description: 'Booted sandboxes of each kind in use, at least; 0: no pool.' }),
        maximum: Type.Integer({ minimum: 0, default: 32, description: 'Booted sandboxes of all kinds together, at most.' }),
        forget_ms: age(10 * 60_000, 'A kind that nobody asks for is kept for.'),
      },
      strict,
    ),
    limits: Type.Object(
      {
        max_instances: Type.Integer({
          minimum: 1,
          default: defaultMaxInstances(),
          description: 'Instances at a time on this machine.',
          'x-default': 'one for each 8 MiB of memory, 16 to 4096',
        }),
        memory_bytes: bytes(Math.floor(totalmem() * 0.6), 'What all instances together may hold; idle ones go beyond that.', {
          'x-default': '60 % of the memory',
        }),
        memory_per_instance_bytes: Type.Integer({
          minimum: 32 * MIB,
          default: 256 * MIB,
          description: 'Memory of an instance whose function does not say. In bytes.',
        }),
        max_memory_per_instance_bytes: Type.Integer({
          minimum: 32 * MIB,
          default: Math.max(256 * MIB, Math.floor(totalmem() * 0.6)),
          'x-default': '60 % of the memory, 256 MiB at least',
          description: 'What a function may ask for by `memory_mb`, and what building a layer may use. In bytes.',
        }),
        cpu: Type.Number({
          minimum: 0,
          default: 0,
          description: "Cores' worth of CPU time of an instance whose function does not say; 0: what is idle, in fair shares.",
        }),
        max_cpu: Type.Number({
          minimum: 0.05,
          default: availableParallelism(),
          description: 'What a function may ask for by `cpu`.',
          'x-default': 'the number of cores',
        }),
        max_queue: Type.Integer({ minimum: 1, default: 10_000, description: 'Invocations that wait at a time on this machine.' }),
        queue_target_ms: millis(1000, 'A function whose callers all wait for longer, and for longer than two runs, refuses those who come.'),
        start_timeout_ms: millis(30_000, 'For an instance to boot and load its function.'),
        idle_ms: age(10 * 60_000, 'An idle instance is kept for.'),
        cancel_grace_ms: millis(250, 'For a cancelled invocation to confirm before its sandbox is killed.'),
        drain_ms: millis(65_000, 'For running invocations to end at shutdown.'),
        open_files: Type.Integer({ minimum: 16, default: 1024, description: 'Files that one process of a function may have open.' }),
        file_bytes: bytes(64 * MIB, 'Largest file that a function may write.'),
        processes: Type.Integer({ minimum: 8, default: 256, description: 'Processes and threads of one sandbox.' }),
      },
      strict,
    ),
    secrets: Type.Object(
      {
        key_file: Type.String({
          default: '',
          description: 'File with the key that secrets are encrypted with, made when missing; empty: `secrets.key` in `data_dir`.',
        }),
        key: Type.String({ default: '', description: 'The key itself, 32 bytes in base64, instead of a file.' }),
        previous_key: Type.String({
          default: '',
          description: 'The key before that one: secrets that still need it are encrypted anew at the start.',
        }),
      },
      strict,
    ),
    layers: Type.Object(
      {
        requirements: Type.String({
          default: '',
          description: 'File with the libraries of every Python function; empty: the one that comes with the platform.',
        }),
        build_timeout_ms: millis(10 * 60_000, 'For one layer to be built.'),
      },
      strict,
    ),
    queue: Type.Object(
      {
        max_running: Type.Integer({ minimum: 1, maximum: 10_000, default: 256, description: 'Asynchronous invocations that run at a time.' }),
        lease_margin_ms: millis(30_000, "What the lease of a running invocation is longer than its function's timeout."),
        max_result_bytes: bytes(MIB, "Largest body of an asynchronous invocation's answer that is kept."),
        idempotency_ms: age(24 * 3600_000, 'An Idempotency-Key is remembered for.'),
        keep_dead_letters_ms: age(30 * 24 * 3600_000, 'Invocations that failed for good are kept for.'),
        callback_hosts: Type.Array(Type.String(), {
          default: [],
          description: "Hosts (`name` or `name:port`) inside the platform's own network that results may be sent to; those outside need no leave.",
        }),
      },
      strict,
    ),
    amqp: Type.Object(
      {
        message_queue: Type.Union([Type.Literal('broker'), Type.Literal('embedded')], {
          default: 'broker',
          description: 'By what scripts answer when there is a broker: by it, or by the platform itself.',
        }),
        functions_url: Type.String({
          default: '',
          description:
            'Where functions that connect to `message_queue` are led, when that is another address than that of `amqp.url`: `amqp://host:5672`, or `amqps`; of several nodes one, or one for each, in the same order.',
        }),
        ca_file: Type.String({
          default: '',
          description: 'File with the certificate of whoever signed those of an `amqps` broker; empty: those known to Node.js.',
        }),
        triggered_queue_ms: age(
          10 * 60_000,
          'The reply queue of a run that the control plane triggered is kept for its client, unless it is in use then.',
        ),
        url: Type.String({
          default: '',
          description:
            'The RabbitMQ by which scripts answer, whose queues may run functions and whose exchanges may be destinations: `amqp://user:password@host:5672/vhost`, or `amqps`; several with commas between them, of the nodes of one cluster; empty: none.',
        }),
      },
      strict,
    ),
    services: Type.Record(Type.String(), Type.String(), {
      default: {},
      description:
        'What functions reach by a name, whatever network they have: names with `host:port` each. In the environment `name=host:port`, separated by commas.',
    }),
    metrics: Type.Object(
      {
        max_functions: Type.Integer({
          minimum: 0,
          maximum: 10_000,
          default: 100,
          description: 'Functions that metrics count each by its name; others are counted together as `_other`.',
        }),
      },
      strict,
    ),
    logs: Type.Object(
      {
        keep_ms: age(7 * 24 * 3600_000, 'What functions print is kept for, an eighth more at most.'),
        max_bytes: Type.Integer({
          minimum: 0,
          default: 256 * MIB,
          description: 'All of it together; the oldest goes first. 0: none is kept. In bytes.',
        }),
        segment_bytes: bytes(16 * MIB, 'One file of it, a quarter of `max_bytes` at most.'),
        max_bytes_per_s: bytes(MIB, 'What one function may print in a second, on average; the rest is left out and counted.'),
        max_line_chars: Type.Integer({
          minimum: 80,
          maximum: 65_536,
          default: 16_384,
          description: 'Of a longer line the rest is left out. In characters.',
        }),
      },
      strict,
    ),
    traces: Type.Object(
      {
        endpoint: Type.String({
          pattern: '^(https?://.+)?$',
          default: '',
          description:
            'Where traces are sent by OTLP over HTTP: `http://host:4318`, `/v1/traces` is added when there is no path; empty: nowhere, there are none.',
        }),
        headers: Type.Record(Type.String(), Type.String(), {
          default: {},
          description: 'Headers of those requests, credentials for example. In the environment `name=value`, separated by commas.',
        }),
        service_name: Type.String({ minLength: 1, default: 'hearth', description: 'What the platform is called in traces.' }),
        resource: Type.Record(Type.String(), Type.String(), {
          default: {},
          description: 'Attributes of all spans, `deployment.environment.name` for example. In the environment `name=value`, separated by commas.',
        }),
        sampler: Type.Union(
          SAMPLERS.map((name) => Type.Literal(name)),
          { default: 'parentbased_always_on', description: 'Which traces are recorded, as OTEL_TRACES_SAMPLER says it.' },
        ),
        ratio: Type.Number({ minimum: 0, maximum: 1, default: 1, description: 'Share of the traces that are recorded, for the samplers by ratio.' }),
        max_per_s: Type.Integer({
          minimum: 0,
          default: 100,
          description: 'Traces that begin here and are recorded, a second, at most; 0: no bound. Those that callers have begun come on top.',
        }),
      },
      strict,
    ),
    records: Type.Object({ keep_ms: age(7 * 24 * 3600_000, 'Records of what ran are kept for.') }, strict),
    log: Type.Object(
      {
        level: Type.Union(
          ['trace', 'debug', 'info', 'warn', 'error', 'silent'].map((level) => Type.Literal(level)),
          { default: 'info', description: 'What is logged: this and what is graver.' },
        ),
        format: Type.Union([Type.Literal('auto'), Type.Literal('json'), Type.Literal('pretty')], {
          default: 'auto',
          description: 'auto: pretty on a terminal.',
        }),
      },
      strict,
    ),
  },
  strict,
);

type ConfigFile = Static<typeof ConfigSchema>;

export interface Config extends ConfigFile {
  /** Folders of PATH, for finding the tools of the drivers. */
  readonly toolPath: string;
  /** What pip needs of the operator's environment: PIP_*, proxies, certificates. */
  readonly pipEnvironment: Readonly<Record<string, string>>;
  /** What npm needs of it: its registry, proxies, certificates. */
  readonly npmEnvironment: Readonly<Record<string, string>>;
}

/** What they hold is measured and bounded by memory_bytes; this bounds their number. */
function defaultMaxInstances(): number {
  return Math.max(16, Math.min(4096, Math.floor(totalmem() / (8 * MIB))));
}

function defaultBodyMemory(): number {
  return Math.max(64 * MIB, Math.floor(totalmem() / 16));
}

const validator = Compile(ConfigSchema);

/** @throws HearthError invalid_config naming the member, its source and what is allowed */
export function loadConfig(environment: Readonly<Record<string, string | undefined>>, cwd: string): Config {
  const raw = readFile(environment.HEARTH_CONFIG, cwd);
  applyOpenTelemetry(raw, environment);
  applyEnvironment(raw, environment);
  const filled = fillDefaults(ConfigSchema as unknown as SchemaNode, raw) as ConfigFile;
  const [error] = validator.Errors(filled);
  if (error) {
    const path = error.instancePath.slice(1).replaceAll('/', '.') || '(top level)';
    throw new HearthError(
      'invalid_config',
      `Configuration: ${path} ${error.message}. It comes from ${environment.HEARTH_CONFIG ?? 'the defaults'} or the environment's HEARTH_${path.replaceAll('.', '_').toUpperCase()}.`,
    );
  }
  return {
    ...filled,
    data_dir: resolve(cwd, filled.data_dir),
    toolPath: environment.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    pipEnvironment: select(environment, /^(PIP_.*|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE)$/i),
    // Not all of npm's: a platform that npm itself has started finds dozens.
    npmEnvironment: select(
      environment,
      /^(npm_config_(registry|proxy|https_proxy|noproxy|cafile|strict_ssl|fetch_\w+)|(https?|no)_proxy|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS)$/i,
    ),
  };
}

function select(environment: Readonly<Record<string, string | undefined>>, names: RegExp): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && names.test(entry[0])));
}

function readFile(file: string | undefined, cwd: string): Record<string, unknown> {
  if (!file) return {};
  try {
    return JSON.parse(readFileSync(resolve(cwd, file), 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    throw new HearthError('invalid_config', `The configuration file ${file} can't be read as JSON: ${(cause as Error).message}.`, { cause });
  }
}

type SchemaNode = { type?: string; properties?: Record<string, SchemaNode>; default?: unknown };

/** Names of the environment that exist by themselves and are no members. */
const OTHER_NAMES = new Set(['HEARTH_CONFIG', 'HEARTH_TOKEN']);

function applyEnvironment(target: Record<string, unknown>, environment: Readonly<Record<string, string | undefined>>): void {
  const known = new Map<string, { path: string[]; schema: SchemaNode }>();
  const walk = (schema: SchemaNode, path: string[]): void => {
    for (const [name, child] of Object.entries(schema.properties ?? {})) {
      if (child.properties) walk(child, [...path, name]);
      else known.set(`HEARTH_${[...path, name].join('_').toUpperCase()}`, { path: [...path, name], schema: child });
    }
  };
  walk(ConfigSchema as unknown as SchemaNode, []);
  // Short forms that scripts and documentation use.
  known.set('HEARTH_DRIVER', known.get('HEARTH_SANDBOX_DRIVER') as never);
  known.set('HEARTH_PYTHON', known.get('HEARTH_SANDBOX_PYTHON') as never);
  known.set('HEARTH_NETWORK', known.get('HEARTH_SANDBOX_NETWORK') as never);
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith('HEARTH_') || text === undefined || OTHER_NAMES.has(name) || name.startsWith('HEARTH_TEST_')) continue;
    const entry = known.get(name);
    if (!entry)
      throw new HearthError(
        'invalid_config',
        `The environment has ${name}, which is no setting of Hearth. docs/reference/configuration.md lists them.`,
      );
    let node = target;
    for (const step of entry.path.slice(0, -1)) {
      node[step] ??= {};
      node = node[step] as Record<string, unknown>;
    }
    node[entry.path.at(-1) as string] = parseText(text, entry.schema);
  }
}

/** What OpenTelemetry's own variables say comes after the file and before HEARTH_TRACES_…. */
function applyOpenTelemetry(target: Record<string, unknown>, environment: Readonly<Record<string, string | undefined>>): void {
  const traces = (target.traces ?? {}) as Record<string, unknown>;
  const settings = otelSettings(environment, Boolean(environment.HEARTH_TRACES_ENDPOINT || traces.endpoint));
  if (Object.keys(settings).length > 0) target.traces = { ...traces, ...settings };
}

function parseText(text: string, schema: SchemaNode): unknown {
  if (schema.type === 'integer' && /^-?\d+$/.test(text)) return Number(text);
  if (schema.type === 'number' && /^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (schema.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  const items = () => text.split(',').filter((item) => item !== '');
  if (schema.type === 'array') return items();
  if (schema.type === 'object') return Object.fromEntries(items().map((item) => item.split(/=(.*)/s, 2)));
  return text;
}

function fillDefaults(schema: SchemaNode, value: unknown): unknown {
  if (value === undefined && schema.default !== undefined) return structuredClone(schema.default);
  if (!schema.properties) return value;
  if (value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value))) return value;
  const source = (value ?? {}) as Record<string, unknown>;
  const filled: Record<string, unknown> = { ...source };
  for (const [name, child] of Object.entries(schema.properties)) filled[name] = fillDefaults(child, source[name]);
  return filled;
}
