import { type Static, Type } from 'typebox';
import { BundleFiles, BundleHash, EntryPath } from './bundle.ts';
import { type Destinations, DestinationsDefinition } from './destination.ts';
import { FunctionName } from './function-name.ts';
import { AllowScripts, PackageJson, PackageLock } from './packages.ts';
import { AccessDefinition, CorsDefinition, type GatewayPolicy, RateLimitDefinition } from './policy.ts';
import { RUNTIME_NAME, type RuntimeName } from './runtime-name.ts';
import { ScheduleDefinition, type SchedulePolicy } from './schedule.ts';
import { SecretName } from './secret.ts';
import { SloDefinition, type SloPolicy } from './slo.ts';

/** Bounds of what a user may ask for; the operator's own bounds are in config.ts. */
const MAX_CODE_CHARS = 1024 * 1024;
/** Of the entry of a bundle. */
export const MAX_CODE_BYTES = 1024 * 1024;
const MAX_TIMEOUT_MS = 15 * 60_000;
const MAX_IDLE_MS = 30 * 24 * 3600_000;

export const EventKey = Type.String({
  minLength: 1,
  maxLength: 2048,
  description:
    '`http|VERB|/path`: a path segment `:name` matches any one segment, a trailing `*` the rest; the verb `*` matches every method. Or `cron|EXPRESSION` with five ' +
    'fields, or six with seconds in front; `cron|TZ=Europe/Berlin EXPRESSION` for another time zone than UTC. Or `queue|NAME`: each message of that queue of the RabbitMQ that `amqp.url` names.',
  examples: ['http|POST|/echo'],
});

export const LayerName = Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,63}$', description: 'Name of a layer of libraries.' });

const RetryDefinition = Type.Object(
  {
    attempts: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'Runs at most, the first among them. Default 3.' })),
    min_backoff_ms: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 24 * 3600_000, description: 'Bound of the wait before the second. Default 1000.' }),
    ),
    max_backoff_ms: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 24 * 3600_000, description: 'The bound doubles with every failure, up to this. Default 60000.' }),
    ),
    max_age_s: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 30 * 24 * 3600,
        description: 'Not run any more so many seconds after it was due first. Default 21600 (6 h).',
      }),
    ),
  },
  { additionalProperties: false, description: 'How asynchronous invocations that fail are tried again. Each wait is random, below its bound.' },
);

const HttpPath = Type.String({ pattern: '^/[!-~]*$', maxLength: 1024 });

const ServerDefinition = Type.Object(
  {
    port: Type.Optional(Type.Integer({ minimum: 1024, maximum: 65535, description: 'That it listens on, as its variable PORT says. Default 8080.' })),
    ready_path: Type.Optional({
      ...HttpPath,
      description: 'It is ready when it answers GET of this with a status of 200 to 299, such as `/_/ready`. Default: when it listens.',
    }),
    health_path: Type.Optional({
      ...HttpPath,
      description: 'Asked every 10 s, such as `/_/health`; a program that fails three times in a row is replaced. Default: it is not asked.',
    }),
    stop_grace_ms: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 60_000, description: 'From SIGTERM to SIGKILL, when it is no longer needed. Default 5000.' }),
    ),
  },
  { additionalProperties: false, description: 'What a program of style `server` does besides answering; `stop_grace_ms` is for style `lambda` too.' },
);

/** What `POST /functions` takes: the seed's three members, and ours. */
export const FunctionDefinition = Type.Object(
  {
    event_type: EventKey,
    function_code: Type.Optional(
      Type.String({ minLength: 1, maxLength: MAX_CODE_CHARS, description: 'The source text. Either this, or `files`, or `bundle`.' }),
    ),
    files: Type.Optional(BundleFiles),
    bundle: Type.Optional(BundleHash),
    entry: Type.Optional(EntryPath),
    function_name: FunctionName,
    runtime: Type.Optional(
      Type.Unsafe<RuntimeName>(
        Type.String({
          pattern: RUNTIME_NAME,
          description: '`python` (default), `nodejs`, or a major version of Node.js that the platform has, such as `nodejs26`.',
        }),
      ),
    ),
    style: Type.Optional(
      Type.Union([Type.Literal('script'), Type.Literal('handler'), Type.Literal('web'), Type.Literal('server'), Type.Literal('lambda')], {
        description:
          'Found out from the code when left out: a top-level `handler` (Node.js: an exported one, or a default export) makes it a handler, anything else a script. ' +
          '`web` (Node.js): a default function that takes a Request and gives a Response. `server`: a program that listens for HTTP on ' +
          'the port in its variable PORT. `lambda`: a program that is a custom runtime of AWS Lambda.',
      }),
    ),
    command: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), {
        minItems: 1,
        maxItems: 64,
        description:
          'How a program (style `server` or `lambda`) is started: its name and its arguments. Default: the code itself, by its interpreter.',
      }),
    ),
    server: Type.Optional(ServerDefinition),
    timeout_ms: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MAX_TIMEOUT_MS, description: 'From accepting the request to the last byte of the answer. Default 60 s.' }),
    ),
    network: Type.Optional(
      Type.Union([Type.Literal('none'), Type.Literal('egress'), Type.Literal('host')], {
        description:
          "What it may reach: nothing (`none`), the outside world (`egress`), or what the host itself reaches (`host`). Default: the platform's sandbox.network.",
      }),
    ),
    layers: Type.Optional(Type.Array(LayerName, { maxItems: 8, uniqueItems: true, description: 'Layers besides the default one, searched first.' })),
    requirements: Type.Optional(
      Type.String({ maxLength: 64 * 1024, description: "Text of a requirements.txt; built into a layer of the function's own." }),
    ),
    package_json: Type.Optional(PackageJson("a layer of the function's own")),
    package_lock: Type.Optional(PackageLock),
    allow_scripts: Type.Optional(AllowScripts),
    environment: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), Type.String({ maxLength: 32 * 1024 }), {
        maxProperties: 128,
        description: 'Variables of its environment, 128 at most. What must stay unknown to others belongs into `secrets`.',
      }),
    ),
    secrets: Type.Optional(
      Type.Array(SecretName, {
        maxItems: 32,
        uniqueItems: true,
        description: 'Names of secrets (PUT /secrets/{name}) that the function is given: in its environment, and to a handler as `context.secrets`.',
      }),
    ),
    concurrency: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: 'Invocations at a time in one instance. Default: handler 1, async handler 16, script 8, server 16, lambda 1.',
      }),
    ),
    max_instances: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: 'Instances at a time. Default: as many as the machine bears.' }),
    ),
    memory_mb: Type.Optional(
      Type.Integer({
        minimum: 32,
        maximum: 1024 * 1024,
        description: "MiB of memory of one instance, its files in /tmp included. Default: the platform's limits.memory_per_instance_bytes.",
      }),
    ),
    cpu: Type.Optional(
      Type.Number({
        minimum: 0.05,
        maximum: 1024,
        description: "Cores' worth of CPU time of one instance, such as 0.5 or 2. Default: the platform's limits.cpu.",
      }),
    ),
    max_queue: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000, description: 'Invocations that may wait for an instance. Default 256.' })),
    async: Type.Optional(
      Type.Union([Type.Literal('allowed'), Type.Literal('always'), Type.Literal('never')], {
        description:
          'Whether its calls may be answered by 202 and run later. `allowed` (default): when the caller asks by `Prefer: respond-async`; `always`: every call, for ' +
          'senders of webhooks that can set no header; `never`: the preference is ignored.',
      }),
    ),
    retry: Type.Optional(RetryDefinition),
    reserved: Type.Optional(Type.Integer({ minimum: 0, maximum: 100, description: 'Instances that are always warm. Default 0.' })),
    min_idle_ms: Type.Optional(
      Type.Integer({ minimum: 0, maximum: MAX_IDLE_MS, description: 'An idle instance is not taken away for others before this. Default 0.' }),
    ),
    max_idle_ms: Type.Optional(
      Type.Integer({ minimum: 0, maximum: MAX_IDLE_MS, description: "An idle instance goes after this. Default: the platform's limits.idle_ms." }),
    ),
    access: Type.Optional(AccessDefinition),
    cors: Type.Optional(CorsDefinition),
    rate_limit: Type.Optional(RateLimitDefinition),
    schedule: Type.Optional(ScheduleDefinition),
    destinations: Type.Optional(DestinationsDefinition),
    stream_body: Type.Optional(
      Type.Boolean({
        description:
          'Of handlers, `web` and servers: it is called when the head of a request is there, and given the body as it comes. Default false: when all of it is there.',
      }),
    ),
    websocket: Type.Optional(
      Type.Boolean({
        description: 'Of handlers, `web` and servers: WebSocket handshakes on its event key are given to it. Default false: they are ordinary GETs.',
      }),
    ),
    error_logs: Type.Optional(
      Type.Boolean({
        description:
          'Callers of a call that failed are told the last lines that it printed, 20 lines and 4 KiB at most, as `logs` of the problem. Default false: they are for whoever may read the logs.',
      }),
    ),
    slo: Type.Optional(SloDefinition),
    invokes: Type.Optional(
      Type.Array(FunctionName, {
        maxItems: 64,
        uniqueItems: true,
        description: 'Names of the functions that it may invoke by `hearth.invoke`. Default: none.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type FunctionDefinition = Static<typeof FunctionDefinition>;

export type FunctionStyle = 'script' | 'handler' | 'server' | 'lambda';

export interface RetryPolicy {
  /** Runs at most, the first among them; 1 to 100. */
  readonly attempts: number;
  /** Milliseconds. */
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly maxAgeMs: number;
}

/** How a program is started, asked and stopped. */
export interface ProgramPolicy {
  /** argv; null: the code itself. */
  readonly command: readonly string[] | null;
  readonly port: number;
  readonly readyPath: string | null;
  readonly healthPath: string | null;
  /** Milliseconds from SIGTERM to SIGKILL. */
  readonly stopGraceMs: number;
}

/** What is known of the code of a Node.js function. */
export interface ModuleForm {
  readonly format: 'module' | 'commonjs';
  /** Its default function takes a Request and gives a Response. */
  readonly web: boolean;
  /** It is written for another platform; left out when it is not. */
  readonly shape?: 'openfaas' | 'openwhisk';
  /** What TypeScript is without its types, every line and column where it was; null for JavaScript, and of a bundle, whose files Node.js strips itself. */
  readonly compiled: string | null;
}

/** The files of a function that is more than one text. */
export interface BundleRef {
  /** SHA-256 of its manifest, which has the sums of all files. */
  readonly hash: string;
  /** Path of the file that is the function. */
  readonly entry: string;
}

/** One immutable snapshot of a function; what the scheduler runs. Everything is decided: no default is left open. */
export interface FunctionVersion {
  readonly functionName: string;
  /** Counts up from 1 for each function name, and goes on after a deletion. */
  readonly number: number;
  /** SHA-256, hex, over everything below but createdAt. */
  readonly hash: string;
  readonly eventKey: string;
  readonly runtime: RuntimeName;
  readonly style: FunctionStyle;
  /** The source text; of a bundle that of its entry. */
  readonly code: string;
  /** Null for Python. */
  readonly module: ModuleForm | null;
  /** Null when the function is one text. */
  readonly bundle: BundleRef | null;
  readonly timeoutMs: number;
  readonly network: 'none' | 'egress' | 'host';
  /** Ids (content hashes) of built layers, in search order. */
  readonly layers: readonly string[];
  readonly requirements: string | null;
  readonly environment: Readonly<Record<string, string>>;
  /** Names; the values are given when it is loaded. */
  readonly secrets: readonly string[];
  readonly concurrency: number;
  readonly maxInstances: number;
  readonly maxQueue: number;
  readonly asyncMode: 'allowed' | 'always' | 'never';
  /** Of asynchronous invocations. */
  readonly retry: RetryPolicy;
  /** Instances that are always warm. */
  readonly reserved: number;
  /** Milliseconds that an idle instance is kept for at least, even if others want its room. */
  readonly minIdleMs: number;
  /** Milliseconds that an idle instance is kept for at most; null: as long as the platform keeps any. */
  readonly maxIdleMs: number | null;
  /** Of one instance; null: what the platform gives. */
  readonly memoryBytes: number | null;
  /** Cores' worth of CPU time of one instance; null: what the platform gives. */
  readonly cpu: number | null;
  /** What the gateway asks of callers; null: nothing. */
  readonly policy: GatewayPolicy | null;
  /** How it is run by the clock; null: it is not. */
  readonly schedule: SchedulePolicy | null;
  /** Where the outcomes of its asynchronous invocations are sent; null: nowhere. */
  readonly destinations: Destinations | null;
  /** Names of the functions that it may invoke. */
  readonly invokes: readonly string[];
  /** Of the styles `server` and `lambda`; null: it is no program. */
  readonly program: ProgramPolicy | null;
  /** It is given bodies as they come. */
  readonly streamBody: boolean;
  /** It is given WebSocket handshakes. */
  readonly websocket: boolean;
  /** Callers are told the last lines of a call that failed. */
  readonly errorLogs: boolean;
  /** What is promised of it; null: nothing. */
  readonly slo: SloPolicy | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}
