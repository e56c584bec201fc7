/** The JSON payloads of docs/protocol.md. Those that come from a runtime are hostile until parsed: see parse-message.ts. */

export type Style = 'script' | 'handler' | 'server' | 'lambda';

export interface LoadMessage {
  function: string;
  style: Style;
  runtime: string;
  /** What is known of the code of a Node.js function; left out for others. */
  module?: LoadedModule;
  /** Bytes of source that follow in LoadCode frames. */
  codeLength: number;
  /** Files of the function, which follow in LoadBundle frames; left out when it is one text. */
  bundle?: LoadBundle;
  /** Folders inside the sandbox, in search order. */
  layers: readonly string[];
  environment: Readonly<Record<string, string>>;
  /** Values by name; left out when the function names none. */
  secrets?: Readonly<Record<string, string>>;
  concurrency: number;
  streamListen: { host: string; port: number; name: string } | null;
  /** Services that the function may connect to, each at an address of its own; left out when there are none. */
  services?: readonly { host: string; port: number; name: string }[];
  /** It may invoke other functions; left out when it may not. */
  calls?: boolean;
  /** It is given bodies as they come; left out when they come whole. */
  streamBody?: boolean;
  /** It is given WebSocket handshakes; left out when it isn't. */
  websocket?: boolean;
  /** Of a program (the styles server and lambda). */
  program?: ProgramMessage;
  limits: { openFiles?: number; fileBytes?: number; processes?: number; memoryBytes?: number };
}

export interface LoadedModule {
  format: 'module' | 'commonjs';
  /** Its default function takes a Request. */
  web: boolean;
  /** Of a function made for another platform. */
  shape?: 'openfaas' | 'openwhisk';
}

export interface ProgramMessage {
  /** argv; null: the code itself. */
  command: readonly string[] | null;
  /** That it is to listen on; 0: any that is free. */
  port: number;
  readyPath: string | null;
  healthPath: string | null;
  startTimeoutMs: number;
  stopGraceMs: number;
  /** Of the function. */
  version: number;
  /** Bytes that it may use. */
  memoryBytes: number;
  /** Bytes of an answer that does not come in pieces. */
  maxReplyBytes: number;
}

export interface LoadBundle {
  /** Inside the sandbox; the runtime makes the files below it. */
  folder: string;
  /** Path, below the folder, of the file that is the function. */
  entry: string;
  /** Bytes of the bundle file: a line of JSON, and what the files hold. */
  length: number;
}

export interface InvokeMessage {
  correlationId: string;
  instanceId: string;
  verb: string;
  path: string;
  rawPath: string;
  query: string;
  params: Readonly<Record<string, string>>;
  /** Names and values in turn. */
  headers: readonly string[];
  scriptBody: string | null;
  /** What kind of message a handler is given; `http` when left out. */
  messageType?: string | undefined;
  /** Null: it comes as it arrives, until InvokeEnd. */
  bodyLength: number | null;
  /** It is a handshake that was checked; left out when it is none. */
  upgrade?: 'websocket' | undefined;
  /** Milliseconds since the epoch. */
  deadline: number;
}

export interface HelloMessage {
  protocol: number;
  runtime: string;
  version: string;
}

export interface ReadyMessage {
  concurrency: number;
  preloaded: string[];
  excluded: string[];
}

export interface ReplyHeadMessage {
  status: number;
  /** Names and values in turn. */
  headers: string[];
  streaming: boolean;
}

/** What a function threw, made safe to show. */
export interface RuntimeErrorMessage {
  type: string;
  message: string;
  trace?: string;
  /** The runtime ends with it; nothing more may be given to it. */
  fatal?: boolean;
}

/** A function invokes another one. */
export interface CallMessage {
  /** That of the caller. */
  invocation: number;
  function: string;
  mode: 'sync' | 'async';
  /** Milliseconds, at least 1; null: as long as the caller and the other function have. */
  timeoutMs: number | null;
  contentType: string | null;
  /** Bytes of body that follow in CallBody frames. */
  bodyLength: number;
}

export interface CallReplyMessage {
  /** Of the invocation that was made. */
  id: string;
  /** What the other function answered; 202 when it is to be run later. */
  status: number;
  /** Names and values in turn. */
  headers: readonly string[];
  bodyLength: number;
}

export interface CallFailedMessage {
  code: string;
  status: number;
  message: string;
}

export type ExitedMessage = { code: number; signal?: undefined } | { signal: string; code?: undefined };
