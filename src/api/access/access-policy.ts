import { HearthError } from '../../errors.ts';
import type { TokenRecord } from '../../schemas/access.ts';
import { isLoopback } from './loopback.ts';
import type { HostPolicy } from './own-host.ts';
import { hashToken } from './token.ts';

/** Who gets to the control plane. */
export interface AccessPolicy extends HostPolicy {
  /** Whether a token is needed. */
  required: boolean;
  /** Of the operator's own token; null: none. */
  adminHash: string | null;
}

/** The settings `api.*` that matter here. */
export interface AccessSettings {
  host: string;
  port: number;
  auth: 'auto' | 'required' | 'off';
  allowed_hosts: readonly string[];
}

const ADMIN_TOKEN = /^[A-Za-z0-9._~+/-]{32,1024}=*$/;

/**
 * Decides from the settings and from what tokens there are. The platform starts nowhere where others could change it unasked, nor where nobody could.
 * @param adminToken of the setting or of its file; empty: none
 * @throws HearthError invalid_config with what to do
 */
export function decideAccess(settings: AccessSettings, adminToken: string, tokens: readonly TokenRecord[], now: number): AccessPolicy {
  const { host, auth } = settings;
  const allowedHosts = settings.allowed_hosts.map((name) => name.toLowerCase());
  if (adminToken !== '' && !ADMIN_TOKEN.test(adminToken)) {
    throw new HearthError(
      'invalid_config',
      'The token of HEARTH_API_ADMIN_TOKEN or HEARTH_API_ADMIN_TOKEN_FILE must have 32 characters or more, out of letters, digits and . _ ~ + / -. ' +
        'Make one with: openssl rand -hex 32',
    );
  }
  if (auth === 'off' && !isLoopback(host)) {
    throw new HearthError(
      'invalid_config',
      `api.auth is off and api.host is ${host}: whoever reaches that address could run code here. Leave HEARTH_API_AUTH away, or listen on 127.0.0.1 and put a ` +
        'proxy that authenticates in front.',
    );
  }
  // Whoever names other hosts expects requests from elsewhere, a proxy's probably.
  const required = auth === 'required' || (auth === 'auto' && !(isLoopback(host) && allowedHosts.every((name) => isLoopback(withoutPort(name)))));
  const usable = adminToken !== '' || tokens.some(({ expiresAt }) => expiresAt === null || expiresAt > now);
  if (required && !usable) {
    throw new HearthError(
      'invalid_config',
      `The control plane needs tokens (api.host is ${host}, api.auth is ${auth}), and there is none yet. Either set one: HEARTH_API_ADMIN_TOKEN=$(openssl rand -hex 32), ` +
        'or HEARTH_API_ADMIN_TOKEN_FILE with a file that has it. Or start on 127.0.0.1 first, run `hearth tokens create --name me --role admin`, and start again like this.',
    );
  }
  return { host, allowedHosts, required, adminHash: adminToken === '' ? null : hashToken(adminToken) };
}

function withoutPort(name: string): string {
  return name.replace(/:\d+$/, '');
}
