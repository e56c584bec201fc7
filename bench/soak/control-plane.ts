import type { FunctionDefinition } from '../../src/schemas/function.ts';
import type { Random } from '../keep-alive/random.ts';
import type { Caller } from './caller.ts';

const code = (version: number): string => `def handler(m, c): return "version ${version}"`;

/** One function's whole life: registered, replaced, called, rolled back, split, listed, deleted; and what is refused on the way. */
export async function churn(caller: Caller, { api, gateway }: { api: string; gateway: string }, name: string, random: Random): Promise<void> {
  const register = (functionCode: string, statuses?: readonly number[]) => {
    const definition: FunctionDefinition = {
      event_type: `http|*|/churn/${name}`,
      function_name: name,
      function_code: functionCode,
      max_instances: 2,
    };
    return caller.json(`${api}/functions`, { method: 'POST', body: definition }, statuses);
  };
  const expectVersion = async (version: number): Promise<void> => {
    const answer = await caller.ask(`${gateway}/churn/${name}`);
    if (answer.body !== `version ${version}`)
      throw new Error(`${name} answered ${answer.status} ${answer.body.slice(0, 300)} in place of version ${version}`);
  };
  const at = `${api}/functions/${name}`;
  try {
    await register(code(1));
    await expectVersion(1);
    await register(code(2));
    await expectVersion(2);
    await register('def handler(:', [422]);
    await caller.json(`${at}/rollback`, { method: 'POST' });
    await expectVersion(1);
    await caller.json(`${at}/traffic`, { method: 'PUT', body: { weights: { 1: 50, 2: 50 } } });
    for (let n = 0; n < 4; n++) await caller.ask(`${gateway}/churn/${name}`);
    await caller.json(`${at}/traffic`, { method: 'DELETE' });
    for (const path of [
      '/functions',
      `/functions/${name}/versions`,
      '/functions/instances?limit=100',
      '/invocations?limit=50',
      '/dead-letters?limit=50',
      '/nowhere',
    ]) {
      if (random.next() < 0.5) await caller.json(api + path, {}, [path === '/nowhere' ? 404 : 200]);
    }
    await caller.json(`${api}/secrets/CHURN`, { method: 'PUT', body: { value: String(random.next()) } }, [200, 201]);
  } finally {
    await caller.json(at, { method: 'DELETE' });
  }
  const { status } = await caller.ask(`${gateway}/churn/${name}`);
  // The target of hostile clients has every path that nobody else has.
  if (status !== 200 && status !== 429) throw new Error(`${name} was deleted, and its path answers ${status}`);
}
