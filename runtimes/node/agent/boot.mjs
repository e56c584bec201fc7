// Between Hello and Ready: prepare while the sandbox is still generic, then load what the platform asks for.

import { Unpacker } from './bundle.mjs';
import { Channel } from './channel.mjs';
import { leave } from './end.mjs';
import { errorObject } from './errors.mjs';
import { encodeJson, FRAME, ProtocolError, parseObject } from './frames.mjs';
import { entryOf, loadModule, shownPath } from './load.mjs';
import { makeResolvable } from './resolve.mjs';
import { HandlerServer } from './serve.mjs';
import { openTunnel } from './streams.mjs';
import { warm } from './warm.mjs';

/** In which a platform that has use for the sandbox at once sends Load. Milliseconds. */
const HEELS_MS = 5;

export async function run() {
  const channel = new Channel();
  const { load, source, trouble } = await readLoad(channel);
  if (trouble !== null) await fail(channel, errorObject(trouble));
  applyEnvironment(load);
  if (load.bundle !== undefined) process.chdir(load.bundle.folder);
  if (load.style === 'script') {
    const { serveScripts } = await import('./script.mjs');
    await serveScripts(channel, load, source);
    return;
  }
  const server = new HandlerServer(channel, load, shownPath(load));
  channel.onFrame = (type, id, payload) => server.onFrame(type, id, payload);
  try {
    if (load.services?.length > 0) {
      makeResolvable(load);
      server.tunnel = await openTunnel(channel, { services: load.services });
    }
    if (load.streamBody || load.websocket) server.streams = new (await import('./incoming.mjs')).Streams(channel, load);
    server.serve(entryOf(load, await loadModule(load, source)));
  } catch (error) {
    await fail(channel, server.error(error));
  }
  channel.send(encodeJson(FRAME.ready, 0, { concurrency: server.concurrency, preloaded: [], excluded: [] }));
}

/** Ends the runtime. @param object of the protocol, about what went wrong */
async function fail(channel, object) {
  channel.send(encodeJson(FRAME.loadFailed, 0, object));
  await channel.flushed();
  leave(1);
}

/** Resolves once Load has come with all of its code and files, to {load, source, trouble}: an error that kept the files from being made, or null. */
function readLoad(channel) {
  return new Promise((resolve) => {
    const timer = setTimeout(warm, HEELS_MS);
    let load = null;
    let missing = 0;
    /** Of a bundle; null once that is there. */
    let unpacker = null;
    let trouble = null;
    const pieces = [];
    channel.onFrame = (type, id, payload) => {
      clearTimeout(timer);
      if (type === FRAME.shutdown) leave(0);
      if (id !== 0) throw new ProtocolError('an invocation came before Load');
      if (load === null) {
        if (type !== FRAME.load) throw new ProtocolError(`type 0x${type.toString(16)} came before Load`);
        load = parseObject(payload);
        missing = load.codeLength;
        if (typeof load.function !== 'string' || !Number.isInteger(missing) || !Array.isArray(load.layers))
          throw new ProtocolError('Load is incomplete');
        if (load.bundle !== undefined) unpacker = new Unpacker(load.bundle);
      } else if (type === FRAME.loadCode) {
        pieces.push(Buffer.from(payload));
        missing -= payload.length;
      } else if (type === FRAME.loadBundle && unpacker !== null && missing === 0) {
        if (unpacker.feed(payload)) ({ trouble } = unpacker);
        else return;
        unpacker = null;
      } else throw new ProtocolError(`type 0x${type.toString(16)} came inside the code`);
      if (missing < 0) throw new ProtocolError('more code came than Load announced');
      if (missing > 0 || unpacker !== null) return;
      channel.onFrame = () => {
        throw new ProtocolError('a frame came before Ready');
      };
      resolve({ load, source: Buffer.concat(pieces), trouble });
    };
  });
}

function applyEnvironment({ environment = {}, secrets = {} }) {
  for (const [name, value] of Object.entries({ ...environment, ...secrets })) process.env[name] = value;
}
