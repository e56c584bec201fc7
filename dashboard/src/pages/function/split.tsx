import { ApiProblem } from '../../../../src/client/client.ts';
import { useLive } from '../../api/use-live.ts';
import { useSurroundings } from '../../context.ts';
import { Badge } from '../../ui/badge.tsx';
import { count, percent } from '../../ui/format.ts';

const EVERY_MS = 5_000;

/** How the calls are split between versions, if they are. */
export function Split({ name, current }: { name: string; current: number }) {
  const { platform } = useSurroundings();
  const { data } = useLive(
    async (signal) => {
      try {
        return await platform.call('GET /functions/{function_name}/traffic', { path: { function_name: name }, signal });
      } catch (error) {
        if (error instanceof ApiProblem && error.status === 404) return null;
        throw error;
      }
    },
    EVERY_MS,
    name,
  );
  if (!data) return <p class="sub">All calls go to version {current}.</p>;
  return (
    <section class="panel" aria-label="Traffic split">
      <h2>
        Traffic split <Badge tone={data.state === 'active' ? 'busy' : 'bad'}>{data.state.replaceAll('_', ' ')}</Badge>
      </h2>
      <ul class="shares">
        {data.versions.map(({ version, weight, calls, errors }) => (
          <li key={version}>
            <span>version {version}</span>
            <meter min={0} max={100} value={weight} aria-label={`Share of version ${version}`} />
            <span>
              {weight} % · {count(calls)} calls, {percent(calls === 0 ? 0 : errors / calls)} failed
            </span>
          </li>
        ))}
      </ul>
      {data.rolled_back && <p class="failure">{data.rolled_back.reason}</p>}
    </section>
  );
}
