import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

type Head = readonly string[] | OutgoingHttpHeaders | undefined;

/**
 * Lets whatever answers this one request, a function or a refusal on any path of the gateway, be changed on its way out. It lies on the response itself,
 * so that requests that need no change pay nothing.
 * @param change gets names and values in turn, and gives the same; called once
 */
export function changeHead(response: ServerResponse, change: (head: readonly string[]) => string[]): void {
  const writeHead = response.writeHead as (status: number, head: string[]) => ServerResponse;
  response.writeHead = ((status: number, head: Head) => writeHead.call(response, status, change(flat(head)))) as ServerResponse['writeHead'];
}

function flat(head: Head): readonly string[] {
  if (head === undefined) return [];
  if (Array.isArray(head)) return head as readonly string[];
  return Object.entries(head as OutgoingHttpHeaders).flatMap(([name, value]) => [value ?? []].flat().flatMap((one) => [name, String(one)]));
}
