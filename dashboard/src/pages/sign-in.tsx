import { useState } from 'preact/hooks';
import { useSurroundings } from '../context.ts';
import { Page } from '../ui/page.tsx';

/** Where the control plane wants a token. */
export function SignInPage({ refused }: { refused: string | null }) {
  const { platform } = useSurroundings();
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    await platform.enter(token.trim());
    setBusy(false);
  };
  return (
    <Page title="Sign in">
      <form class="panel narrow" onSubmit={submit}>
        <p>This platform lets only those in who have a token. It is kept in this tab, until you close it or sign out.</p>
        <label>
          Token
          <input
            type="password"
            autocomplete="current-password"
            required
            value={token}
            aria-describedby="token-hint"
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <p id="token-hint" class="hint">
          An admin makes one: <code>hearth tokens create --name you --role deploy</code>
        </p>
        {refused !== null && (
          <p class="failure" role="alert">
            {refused}
          </p>
        )}
        <div class="actions">
          <button type="submit" class="primary" disabled={busy || token.trim() === ''}>
            Sign in
          </button>
        </div>
      </form>
    </Page>
  );
}
