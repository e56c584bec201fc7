import { ApiClient, ApiProblem, type Arguments, type Operation, type ResponseOf } from '../../../src/client/client.ts';
import { Store } from '../store.ts';
import { readEvents, type ServerEvent } from './events.ts';

export type Session = ResponseOf<'GET /session'>;
export type Role = Session['role'];

/** Whether somebody is signed in: `asking` until the control plane has said so; `refused` is why it would not have them. */
export type SignIn =
  | { state: 'asking' }
  | { state: 'out'; refused: string | null }
  | { state: 'in'; session: Session }
  | { state: 'away'; why: string };

const TOKEN = 'hearth-token';
const ROLES: readonly Role[] = ['read', 'deploy', 'admin'];

/** The control plane, as whoever sits before the page may use it. The token lives as long as the tab, and goes nowhere but into requests to it. */
export class Platform {
  readonly signIn = new Store<SignIn>({ state: 'asking' });
  readonly #url: string;
  readonly #storage: Storage;
  #client: ApiClient;
  #token: string | undefined;

  constructor(url: string, storage: Storage) {
    this.#url = url;
    this.#storage = storage;
    this.#token = storage.getItem(TOKEN) ?? undefined;
    this.#client = new ApiClient(url, this.#token);
  }

  /** Finds out who we are, with the token that is there, or a new one. */
  async enter(token: string | undefined = this.#token): Promise<void> {
    this.#token = token;
    this.#client = new ApiClient(this.#url, token);
    try {
      const session = await this.#client.call('GET /session');
      if (token !== undefined) this.#storage.setItem(TOKEN, token);
      this.signIn.set({ state: 'in', session });
    } catch (error) {
      if (error instanceof ApiProblem && error.status < 500) this.#leave(token === undefined ? null : error.message);
      else this.signIn.set({ state: 'away', why: messageOf(error) });
    }
  }

  signOut(): void {
    this.#leave(null);
  }

  /** Whether it is by a token that we are in. */
  get hasToken(): boolean {
    return this.#token !== undefined;
  }

  may(role: Role): boolean {
    const signIn = this.signIn.value;
    return signIn.state === 'in' && ROLES.indexOf(signIn.session.role) >= ROLES.indexOf(role);
  }

  /** Where functions are called, as this browser sees it. */
  gatewayUrl(): string {
    const signIn = this.signIn.value;
    if (signIn.state !== 'in') return '';
    const url = new URL(signIn.session.gateway_url);
    // It knows its port; the name by which others reach the machine is the one that brought this page.
    if (/^(0\.0\.0\.0|\[::\]|127\.0\.0\.1|\[::1\]|localhost)$/.test(url.hostname)) url.hostname = new URL(this.#url).hostname;
    return url.origin;
  }

  /** @throws ApiProblem; TypeError when nothing answers */
  async call<Name extends Operation>(operation: Name, ...args: Arguments<Name>): Promise<ResponseOf<Name>> {
    try {
      return await this.#client.call(operation, ...args);
    } catch (error) {
      throw this.#noticed(error);
    }
  }

  /**
   * Server-sent events. `EventSource` can't carry a token.
   * @param onOpen called once the stream has begun
   */
  async *events(path: string, signal: AbortSignal, onOpen: () => void): AsyncGenerator<ServerEvent> {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (this.#token !== undefined) headers.Authorization = `Bearer ${this.#token}`;
    const response = await fetch(new URL(path, this.#url), { headers, signal });
    if (!response.ok || response.body === null)
      throw this.#noticed(new ApiProblem(response.status, null, `The stream was answered with ${response.status}.`, {}));
    onOpen();
    yield* readEvents(response.body);
  }

  #noticed(error: unknown): unknown {
    if (error instanceof ApiProblem && error.status === 401) this.#leave(this.#token === undefined ? null : error.message);
    return error;
  }

  #leave(refused: string | null): void {
    this.#token = undefined;
    this.#storage.removeItem(TOKEN);
    this.#client = new ApiClient(this.#url);
    this.signIn.set({ state: 'out', refused });
  }
}

/** What to tell somebody of what went wrong. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiProblem) return error.message;
  if (error instanceof TypeError) return 'The control plane does not answer. Is the platform running?';
  return error instanceof Error ? error.message : String(error);
}
