import { EngineClient } from './engine-client.ts';

/** Whether a Docker Engine that we can talk to listens there. Never rejects. */
export async function engineAnswers(socketPath: string): Promise<boolean> {
  const client = new EngineClient(socketPath);
  try {
    await client.version();
    return true;
  } catch {
    return false;
  } finally {
    client.close();
  }
}
