import type { FastifyBaseLogger } from 'fastify';
import { HearthError } from '../../errors.ts';
import type { Role, TokenRecord } from '../../schemas/access.ts';
import type { Store } from '../../store/store.ts';
import type { FailureLimiter } from './failure-limiter.ts';
import { hashToken, idOfToken, sameHash } from './token.ts';

/** Who asks. */
export interface Actor {
  /** null: nobody in particular, where no token is needed. */
  tokenId: string | null;
  name: string;
  role: Role;
}

/** Names that the audit log has for those without a token of the store. */
export const LOCAL_NAME = 'local';
export const SETTING_NAME = 'admin_token';

/** How exact `last_used_at` is, in milliseconds. */
const USE_RESOLUTION_MS = 60_000;

/** RFC 6750 §2.1. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i;

export interface AuthenticatorParts {
  store: Pick<Store, 'token' | 'touchToken'>;
  /** Whether those without a token are refused. A token that is given is checked either way. */
  required: boolean;
  /** Hash of the token that the operator has set; null: none. */
  adminHash: string | null;
  limiter: FailureLimiter;
  /** Milliseconds since the epoch. */
  clock: () => number;
  log: FastifyBaseLogger;
}

/** Tells by the Authorization header who asks. Reads the store for every token, so that a revoked one is refused at once. */
export class Authenticator {
  readonly #parts: AuthenticatorParts;
  readonly #touching = new Map<string, Promise<void>>();

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
  }

  /** @throws HearthError unauthenticated or too_many_failures; store_unavailable */
  async authenticate(authorization: string | undefined, address: string): Promise<Actor> {
    const { required, limiter, adminHash } = this.#parts;
    if (authorization === undefined) {
      if (required) throw new HearthError('unauthenticated', missing, { challenge: 'Bearer realm="hearth"' });
      return { tokenId: null, name: LOCAL_NAME, role: 'admin' };
    }
    const text = BEARER.exec(authorization)?.[1] ?? '';
    const wait = limiter.retryAfter(address);
    // Nobody vouches for how random this one is: where many were wrong it is not even compared.
    if (wait === 0 && adminHash !== null && sameHash(hashToken(text), adminHash)) return { tokenId: SETTING_NAME, name: SETTING_NAME, role: 'admin' };
    // Before the store is asked: a thousand guesses at once count as a thousand.
    limiter.count(address);
    const found = await this.#find(text);
    if (typeof found !== 'string') {
      // A right one passes even there: it has 256 random bits, and others behind the same proxy must not be able to lock its owner out.
      limiter.forgive(address);
      return found;
    }
    if (wait > 0) {
      throw new HearthError(
        'too_many_failures',
        `Too many wrong tokens came from ${address}. Try again in ${wait} s, with one that \`hearth tokens list\` has.`,
        {
          retryAfter: wait,
        },
      );
    }
    this.#parts.log.warn({ address }, 'a token was refused by the control plane');
    throw new HearthError('unauthenticated', found, { challenge: 'Bearer realm="hearth", error="invalid_token"' });
  }

  /** Waits for what is still written. */
  async close(): Promise<void> {
    await Promise.all(this.#touching.values());
  }

  /** Whose token it is, or why it is nobody's. */
  async #find(text: string): Promise<Actor | string> {
    const id = idOfToken(text);
    const token = id === undefined ? undefined : await this.#parts.store.token(id);
    if (token === undefined || !sameHash(hashToken(text), token.hash)) return unknown;
    const now = this.#parts.clock();
    if (token.expiresAt !== null && token.expiresAt <= now) {
      return `The token ${token.name} expired at ${new Date(token.expiresAt).toISOString()}; an admin makes another with \`hearth tokens create\`.`;
    }
    this.#touch(token, now);
    return { tokenId: token.id, name: token.name, role: token.role };
  }

  #touch({ id, lastUsedAt }: TokenRecord, now: number): void {
    if ((lastUsedAt !== null && now - lastUsedAt < USE_RESOLUTION_MS) || this.#touching.has(id)) return;
    const touched = this.#parts.store
      .touchToken(id, now)
      .catch((err: unknown) => this.#parts.log.warn({ err, token: id }, 'the use of a token could not be written down'))
      .finally(() => this.#touching.delete(id));
    this.#touching.set(id, touched);
  }
}

const missing =
  'A token is needed here: send it as `Authorization: Bearer hearth_…`; the command takes it from HEARTH_TOKEN or --token-file. An admin makes one with `hearth tokens create`.';
const unknown =
  'The token is not known here: it is misspelt, was revoked, or belongs to another platform. An admin makes one with `hearth tokens create`.';
