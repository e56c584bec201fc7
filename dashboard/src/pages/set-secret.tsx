import { useState } from 'preact/hooks';
import { useSurroundings } from '../context.ts';
import { useAction } from '../ui/use-action.ts';

export function SetSecret({ onChanged }: { onChanged: () => void }) {
  const { platform } = useSurroundings();
  const { busy, run } = useAction();
  const [name, setName] = useState('');
  const [value, setValue] = useState('');
  const submit = (event: Event): void => {
    event.preventDefault();
    void run(async () => {
      const { changed } = await platform.call('PUT /secrets/{name}', { path: { name }, body: { value } });
      setValue('');
      onChanged();
      return changed ? `${name} is set; functions that name it get it from their next start on.` : `${name} had that value already.`;
    });
  };
  return (
    <form class="panel form" onSubmit={submit} aria-label="Set a secret">
      <h2>Set a secret</h2>
      <div class="row">
        <label class="grow">
          Name
          <input
            required
            pattern="[A-Za-z_][A-Za-z0-9_]*"
            title="Letters, digits and _"
            autocomplete="off"
            spellcheck={false}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <label class="grow">
          Value
          <input type="password" required autocomplete="new-password" value={value} onInput={(event) => setValue(event.currentTarget.value)} />
        </label>
      </div>
      <div class="actions">
        <button type="submit" class="primary" disabled={busy}>
          Set
        </button>
      </div>
    </form>
  );
}
