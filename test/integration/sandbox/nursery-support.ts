import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeFrame, FrameDecoder, FromRuntime, ToRuntime } from '../../../src/protocol/frame.ts';
import type { Sandbox } from '../../../src/sandbox/driver.ts';

export const AGENT_FOLDER = fileURLToPath(new URL('../../../runtimes/python/agent', import.meta.url));

/** A folder as pip leaves it after it was asked for one distribution that holds these modules (file name → source). */
export function layerWith(modules: Readonly<Record<string, string>>): string {
  const layer = mkdtempSync(join(tmpdir(), 'hearth-test-layer-'));
  chmodSync(layer, 0o755);
  const metadata = {
    RECORD: Object.keys(modules)
      .map((name) => `${name},,\n`)
      .join(''),
    REQUESTED: '',
  };
  const files = { ...modules, ...Object.fromEntries(Object.entries(metadata).map(([name, text]) => [`asked-1.0.dist-info/${name}`, text])) };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(layer, name)), { recursive: true });
    writeFileSync(join(layer, name), text);
  }
  return layer;
}

/** Loads a handler into a sandbox whose agent is the real one, calls it once, and returns its JSON answer. */
export async function callHandler({ channel, layerPaths }: Sandbox, code: string): Promise<unknown> {
  const source = Buffer.from(code);
  const load = {
    ...{ function: 'test', style: 'handler', runtime: 'python', codeLength: source.length, layers: layerPaths },
    ...{ environment: {}, concurrency: 1, streamListen: null, limits: {} },
  };
  const invoke = {
    ...{ correlationId: 'c', instanceId: 'i', verb: 'GET', path: '/', rawPath: '/', query: '', params: {}, headers: [] },
    ...{ scriptBody: null, bodyLength: 0, deadline: Date.now() + 60_000 },
  };
  channel.write(encodeFrame(ToRuntime.Load, 0, Buffer.from(JSON.stringify(load))));
  channel.write(encodeFrame(ToRuntime.LoadCode, 0, source));
  channel.write(encodeFrame(ToRuntime.Invoke, 1, Buffer.from(JSON.stringify(invoke))));
  const body: Buffer[] = [];
  let answer: unknown;
  let ended = false;
  const decoder = new FrameDecoder((type, _, payload) => {
    if (type === FromRuntime.ReplyBody) body.push(Buffer.from(payload));
    else if (type === FromRuntime.ReplyEnd) {
      answer = JSON.parse(Buffer.concat(body).toString());
      ended = true;
    } else if (type === FromRuntime.LoadFailed || type === FromRuntime.Failed) throw new Error(payload.toString());
  });
  while (!ended) {
    const chunk: Buffer | null = channel.read();
    if (chunk === null) await once(channel, 'readable');
    else decoder.push(chunk);
  }
  return answer;
}
