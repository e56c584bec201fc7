import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config.ts';

const load = (environment: Record<string, string>) => loadConfig(environment, import.meta.dirname);

describe('times', () => {
  it('that no timer takes are refused: it would go off at once', () => {
    expect(() => load({ HEARTH_GATEWAY_REQUEST_TIMEOUT_MS: '2147483648' })).toThrow(/gateway\.request_timeout_ms must be <= 2147483647/);
    expect(load({ HEARTH_GATEWAY_REQUEST_TIMEOUT_MS: '2147483647' }).gateway.request_timeout_ms).toBe(2147483647);
  });

  it('that something is kept for may be longer', () => {
    expect(load({ HEARTH_RECORDS_KEEP_MS: '31536000000' }).records.keep_ms).toBe(31536000000);
  });
});
