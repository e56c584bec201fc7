import type { ResponseOf } from '../client/client.ts';
import { call, type Target } from './api-client.ts';
import { time } from './instant.ts';
import { printJson, printTable } from './print.ts';

/** `hearth nodes`: the platforms that work together. */
export async function nodesList(options: Target & { json?: boolean }): Promise<void> {
  const { nodes } = await call(options, 'GET /nodes');
  if (options.json) {
    printJson(nodes);
    return;
  }
  printTable(['NODE', 'STATE', 'SINCE', 'VERSION', 'CORES', 'MEMORY', 'INSTANCES', 'RUNNING', 'WAITING', 'GATEWAY'], nodes.map(cells));
}

function cells(node: ResponseOf<'GET /nodes'>['nodes'][number]): string[] {
  return [
    node.self ? `${node.name} *` : node.name,
    node.state,
    time(node.started_at),
    node.version,
    String(node.cores),
    `${gibibytes(node.held_bytes)} of ${gibibytes(node.memory_bytes)} GiB`,
    `${node.instances} of ${node.max_instances}`,
    String(node.running),
    String(node.waiting),
    node.gateway_url,
  ];
}

function gibibytes(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(1);
}
