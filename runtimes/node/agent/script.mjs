// Scripts: a process of its own for each run. Node.js can't fork one that has loaded already, so that the next one is booted ahead and waits for its run.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Calls } from './calls.mjs';
import { leave } from './end.mjs';
import { encode, encodeJson, FRAME, MAX_PAYLOAD, ProtocolError, parseObject } from './frames.mjs';
import { kill, killStrays } from './processes.mjs';
import { scriptEnvironment } from './request.mjs';
import { openTunnel } from './streams.mjs';

const CHILD = fileURLToPath(new URL('script-child.mjs', import.meta.url));

/** Resolves when the first run may come. */
export async function serveScripts(channel, load, source) {
  const tunnel = await openTunnel(channel, load);
  const server = new ScriptServer(channel, load, source, tunnel);
  channel.onFrame = (type, id, payload) => server.onFrame(type, id, payload);
  channel.send(encodeJson(FRAME.ready, 0, { concurrency: Math.max(1, load.concurrency ?? 1), preloaded: [], excluded: [] }));
}

/** One run: receiving → running → exited. */
class Run {
  constructor(id, invoke) {
    this.id = id;
    this.invoke = invoke;
    this.missing = invoke.bodyLength;
    this.pieces = [];
    this.child = null;
    this.exit = null;
  }
}

class ScriptServer {
  #channel;
  #load;
  #source;
  #tunnel;
  #calls;
  #runs = new Map();
  #spare;
  #closing = false;

  constructor(channel, load, source, tunnel) {
    this.#channel = channel;
    this.#load = load;
    this.#source = source.toString();
    this.#tunnel = tunnel;
    this.#calls = new Calls(channel, load.calls === true);
    this.#spare = this.#boot();
  }

  onFrame(type, id, payload) {
    if (type === FRAME.invoke) this.#announce(id, parseObject(payload));
    else if (type === FRAME.invokeBody) this.#takeBody(id, payload);
    else if (type === FRAME.cancel) this.#cancel(id);
    else if (type === FRAME.shutdown) {
      this.#closing = true;
      this.#leaveWhenIdle();
    } else if (!this.#tunnel?.take(type, id, payload) && !this.#calls.take(type, id, payload)) {
      throw new ProtocolError(`type 0x${type.toString(16)} came after Ready`);
    }
  }

  #announce(id, invoke) {
    const run = new Run(id, invoke);
    this.#runs.set(id, run);
    if (run.missing === 0) this.#start(run);
  }

  #takeBody(id, payload) {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    run.missing -= payload.length;
    run.pieces.push(Buffer.from(payload));
    if (run.missing < 0) throw new ProtocolError('more body came than Invoke announced');
    if (run.missing === 0) this.#start(run);
  }

  #cancel(id) {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    if (run.child === null) this.#exited(run, { signal: 'SIGKILL' });
    else if (run.child.pid !== undefined) kill(run.child.pid);
  }

  /** A process group of its own, by which what it starts can be ended. */
  #boot() {
    const child = spawn(process.execPath, [...process.execArgv, CHILD], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
      cwd: this.#load.bundle?.folder,
    });
    child.on('error', () => undefined);
    return child;
  }

  #start(run) {
    const child = this.#spare.exitCode === null && this.#spare.signalCode === null && this.#spare.pid !== undefined ? this.#spare : this.#boot();
    run.child = child;
    const { id, invoke } = run;
    const raw = Buffer.concat(run.pieces);
    run.pieces = [];
    this.#relay(child.stdout, FRAME.logOut, run);
    this.#relay(child.stderr, FRAME.logErr, run);
    child.on('message', (message) => this.#onCall(run, message));
    child.on('exit', (code, signal) => {
      run.exit = signal === null ? { code } : { signal };
      if (child.pid !== undefined) killStrays(child.pid, `X-Correlation-Id: ${invoke.correlationId}`);
    });
    // Once nobody holds its output any more.
    child.on('close', () => this.#exited(run, run.exit ?? { code: 1 }));
    child.on('error', (error) => {
      if (child.pid !== undefined) return;
      this.#channel.send(encode(FRAME.logErr, id, Buffer.from(`hearth: no process could be started: ${error.message}\n`)));
      this.#exited(run, { code: 1 });
    });
    const { function: name, layers, module, bundle, streamListen, services, calls } = this.#load;
    const job = {
      load: { function: name, layers, module, bundle, streamListen, services, calls },
      source: this.#source,
      environment: scriptEnvironment(invoke, raw),
    };
    child.send(job, () => undefined);
    // The next one boots while this one runs.
    this.#spare = this.#boot();
  }

  #relay(stream, type, run) {
    stream.on('data', (chunk) => {
      let ready = true;
      for (let at = 0; at < chunk.length; at += MAX_PAYLOAD) ready = this.#channel.send(encode(type, run.id, chunk.subarray(at, at + MAX_PAYLOAD)));
      if (ready) return;
      stream.pause();
      void this.#channel.drained().then(() => stream.resume());
    });
  }

  #exited(run, exit) {
    if (!this.#runs.delete(run.id)) return;
    this.#channel.send(encodeJson(FRAME.exited, run.id, exit));
    this.#leaveWhenIdle();
  }

  /** A run invokes another function: {call, head, body in base64}; the answer has the same `call`. */
  #onCall(run, { call, head, body }) {
    const answer = (message) => {
      if (run.child.connected) run.child.send({ call, ...message }, () => undefined);
    };
    this.#calls.send(run.id, head, Buffer.from(body, 'base64')).then(
      (reply) => answer({ head: reply.head, body: reply.body.toString('base64') }),
      ({ code, status, message }) => answer({ error: { code, status, message: message.replace(`${code}: `, '') } }),
    );
  }

  #leaveWhenIdle() {
    if (!this.#closing || this.#runs.size > 0) return;
    if (this.#spare.pid !== undefined) kill(this.#spare.pid);
    void this.#channel.flushed().then(() => leave(0));
  }
}
