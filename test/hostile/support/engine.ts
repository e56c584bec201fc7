import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { inject } from 'vitest';

/** The path of the socket of the run's one Docker Engine, which is started for whoever asks first. */
export async function engineSocket(): Promise<string> {
  const { socket, error } = JSON.parse(await text(connect(inject('dockerKeeper')))) as { socket?: string; error?: string };
  if (socket === undefined) throw new Error(`there is no Docker Engine: ${error}`);
  return socket;
}
