// Between Hello and Ready: prepare while the sandbox is still generic, then load what the platform asks for.

import { Channel } from './channel.mjs';
import { leave } from './end.mjs';
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
  const { load, source } = await readLoad(channel);
  applyEnvironment(load);
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
    server.serve(entryOf(load, await loadModule(load, source)));
  } catch (error) {
    channel.send(encodeJson(FRAME.loadFailed, 0, server.error(error)));
    await channel.flushed();
    leave(1);
  }
  channel.send(encodeJson(FRAME.ready, 0, { concurrency: server.concurrency, preloaded: [], excluded: [] }));
}

/** Resolves once Load has come with all of its code. */
function readLoad(channel) {
  return new Promise((resolve) => {
    const timer = setTimeout(warm, HEELS_MS);
    let load = null;
    let missing = 0;
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
      } else if (type === FRAME.loadCode) {
        pieces.push(Buffer.from(payload));
        missing -= payload.length;
      } else throw new ProtocolError(`type 0x${type.toString(16)} came inside the code`);
      if (missing < 0) throw new ProtocolError('more code came than Load announced');
      if (missing > 0) return;
      channel.onFrame = () => {
        throw new ProtocolError('a frame came before Ready');
      };
      resolve({ load, source: Buffer.concat(pieces) });
    };
  });
}

function applyEnvironment({ environment = {}, secrets = {} }) {
  for (const [name, value] of Object.entries({ ...environment, ...secrets })) process.env[name] = value;
}
