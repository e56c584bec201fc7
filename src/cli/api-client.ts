import { CATALOGUE, type ErrorCode, HearthError } from '../errors.ts';

/** One request to the control plane; the CLI knows nothing else of a running platform. @throws HearthError what the platform answered, or that it didn't */
export async function request(api: string, method: string, path: string, body?: unknown): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(new URL(path, api), {
      method,
      ...(body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    });
  } catch (cause) {
    throw new HearthError('internal', `No platform answers at ${api}. Start one with \`hearth up\`, or name its address with --api.`, { cause });
  }
  const text = await response.text();
  const value: unknown = text === '' ? null : JSON.parse(text);
  if (response.ok) return value;
  const { code, detail, title, ...extra } = value as { code?: string; detail?: string; title?: string };
  throw new HearthError(
    code !== undefined && code in CATALOGUE ? (code as ErrorCode) : 'internal',
    detail ?? title ?? `The platform answered ${response.status}.`,
    { extra },
  );
}
