// The process of one run of a script: boots ahead, waits for its run, and is that program from then on.

import { errorObject } from './errors.mjs';
import { InvokeError, NOT_ALLOWED, setPlatform } from './hearth.mjs';
import { loadModule, shownPath } from './load.mjs';
import { traceOf } from './request.mjs';
import { makeResolvable } from './resolve.mjs';

/** As Node.js ends when the top level still awaits something that nothing can bring about. */
const UNSETTLED = 13;

// Not within the event: Node.js 22.15 fails when the channel is closed there.
process.once('message', (run) => setImmediate(start, run));

function start({ load, source, environment }) {
  Object.assign(process.env, environment);
  makeResolvable(load);
  setPlatform({ send: load.calls === true ? connectCalls() : refuse, traceHeaders: () => traceOf(headerPairs()) });
  // An open channel would keep the program alive.
  if (load.calls !== true) process.disconnect();
  let settled = false;
  process.on('exit', (code) => {
    if (!settled && code === 0) process.exitCode = UNSETTLED;
  });
  loadModule(load, Buffer.from(source)).then(
    () => {
      settled = true;
    },
    (error) => {
      settled = true;
      const { type, message, trace } = errorObject(error);
      const shown = shownPath(load);
      process.stderr.write(`${shown.from.reduce((text, from) => text.replaceAll(from, shown.to), trace) || `${type}: ${message}`}\n`);
      process.exit(1);
    },
  );
}

function refuse() {
  throw new InvokeError('invoke_not_allowed', 403, NOT_ALLOWED);
}

/** Names and values in turn. */
function headerPairs() {
  const { HTTP_HEADER: lines = '' } = process.env;
  return lines.split('\n').flatMap((line) => {
    const colon = line.indexOf(': ');
    return [line.slice(0, colon), line.slice(colon + 2)];
  });
}

/** @returns what sends a call */
function connectCalls() {
  const pending = new Map();
  let next = 1;
  process.channel.unref();
  process.on('message', ({ call, head, body, error }) => {
    const waiting = pending.get(call);
    pending.delete(call);
    if (pending.size === 0) process.channel.unref();
    if (error !== undefined) waiting?.reject(new InvokeError(error.code, error.status, error.message));
    else waiting?.resolve({ head, body: Buffer.from(body, 'base64') });
  });
  process.channel.unref();
  return (head, body) => {
    const call = next++;
    return new Promise((resolve, reject) => {
      pending.set(call, { resolve, reject });
      // Whoever waits for an answer keeps the program alive.
      process.channel.ref();
      process.send({ call, head, body: body.toString('base64') });
    });
  };
}
