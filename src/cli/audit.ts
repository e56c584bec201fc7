import type { Audited } from '../client/operations.ts';
import { call, type Target } from './api-client.ts';
import { instantOf, time } from './instant.ts';
import { printJson, printTable } from './print.ts';

interface AuditOptions extends Target {
  limit: number;
  since?: string;
  json?: boolean;
}

/** Entries that are asked for at a time. */
const PAGE = 999;

/** `hearth audit`: who changed what, the newest first. */
export async function audit(options: AuditOptions): Promise<void> {
  const since = options.since === undefined ? null : sinceOf(options.since, Date.now());
  const entries: Audited[] = [];
  for (let before: number | null | undefined; before !== null && entries.length < options.limit; ) {
    const query = {
      limit: Math.min(PAGE, options.limit - entries.length),
      ...(since === null ? {} : { since }),
      ...(before === undefined ? {} : { before }),
    };
    const page: { entries: Audited[]; next_before: number | null } = await call(options, 'GET /audit', { query });
    entries.push(...page.entries);
    before = page.next_before;
  }
  if (options.json) {
    printJson(entries);
    return;
  }
  printTable(
    ['AT', 'WHO', 'FROM', 'CHANGE', 'WHAT', 'STATUS'],
    entries.map((one) => [
      time(one.at),
      one.actor.name,
      one.address,
      `${one.method} ${one.route}`,
      `${one.subject}${one.version === null ? '' : `, version ${one.version}`}`,
      String(one.status ?? 'under way'),
    ]),
  );
}

/** So long ago, or a date. */
function sinceOf(text: string, now: number): number | null {
  const instant = instantOf(text, now, '--since');
  return instant === null || !/^\d+[mhdwy]$/.test(text) ? instant : 2 * now - instant;
}
