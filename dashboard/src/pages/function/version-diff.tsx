import { useLive } from '../../api/use-live.ts';
import { useSurroundings } from '../../context.ts';
import { Diff } from '../../editor/diff.tsx';
import { Loaded } from '../../ui/states.tsx';
import type { FunctionDetail } from './function-page.tsx';

interface Pair {
  before: number;
  after: number;
}

interface Props extends Pair {
  name: string;
  versions: readonly number[];
  onChoose(pair: Pair): void;
}

/** What is told apart from the code: everything else that a version is. */
const SETTINGS_WITHOUT: ReadonlySet<string> = new Set(['function_code', 'version', 'hash', 'created_at']);

export function VersionDiff({ name, versions, before, after, onChoose }: Props) {
  const { platform } = useSurroundings();
  const read = (number: number, signal: AbortSignal) =>
    platform.call('GET /functions/{function_name}/versions/{number}', { path: { function_name: name, number }, signal });
  const live = useLive((signal) => Promise.all([read(before, signal), read(after, signal)]), null, `${name} ${before} ${after}`);
  const choice = (label: string, value: number, choose: (version: number) => void) => (
    <label>
      {label}
      <select value={String(value)} onChange={(event) => choose(Number(event.currentTarget.value))}>
        {versions.map((version) => (
          <option key={version} value={String(version)}>
            version {version}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <section class="panel" aria-label="Differences">
      <div class="row">
        {choice('From', before, (version) => onChoose({ before: version, after }))}
        {choice('To', after, (version) => onChoose({ before, after: version }))}
      </div>
      <Loaded live={live} what="both versions">
        {([one, other]) => (
          <>
            <h2>Code</h2>
            {one.function_code === other.function_code ? (
              <p class="faint">The code is the same.</p>
            ) : (
              <Diff
                label={`Code of version ${before} and version ${after}`}
                before={one.function_code}
                after={other.function_code}
                runtime={other.runtime}
              />
            )}
            <h2>Settings</h2>
            {settingsOf(one) === settingsOf(other) ? (
              <p class="faint">The settings are the same.</p>
            ) : (
              <Diff label={`Settings of version ${before} and version ${after}`} before={settingsOf(one)} after={settingsOf(other)} runtime="json" />
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}

function settingsOf(definition: FunctionDetail): string {
  return JSON.stringify(Object.fromEntries(Object.entries(definition).filter(([name]) => !SETTINGS_WITHOUT.has(name))), null, 2);
}
