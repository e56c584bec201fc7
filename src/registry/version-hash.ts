import { createHash } from 'node:crypto';
import type { FunctionVersion } from '../schemas/function.ts';

/**
 * SHA-256, hex, of everything that decides what a version does. Two drafts that differ only in the order of members have one hash. A version
 * without a policy, schedule, destinations, functions to invoke, program, streams, lines in errors or objectives has the hash that it had before there were any.
 */
export function versionHash(version: Omit<FunctionVersion, 'number' | 'createdAt' | 'hash'>): string {
  return createHash('sha256')
    .update(
      canonicalJson({
        ...version,
        bundle: version.bundle ?? undefined,
        policy: version.policy ?? undefined,
        schedule: version.schedule ?? undefined,
        destinations: version.destinations ?? undefined,
        program: version.program ?? undefined,
        streamBody: version.streamBody || undefined,
        websocket: version.websocket || undefined,
        errorLogs: version.errorLogs || undefined,
        slo: version.slo ?? undefined,
        module: version.module ?? undefined,
        invokes: version.invokes.length > 0 ? version.invokes : undefined,
      }),
    )
    .digest('hex');
}

/** JSON with the members of every object in the order of their names. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (member === null || typeof member !== 'object' || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
