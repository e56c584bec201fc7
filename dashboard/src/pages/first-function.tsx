import { useSurroundings } from '../context.ts';
import { go, to } from '../routes.ts';
import { Empty } from '../ui/states.tsx';
import { useAction } from '../ui/use-action.ts';
import { SAMPLES, type Sample } from './samples.ts';

/** What a new platform shows: one click to something that runs. */
export function FirstFunction() {
  const { platform } = useSurroundings();
  const { busy, run } = useAction();
  if (!platform.may('deploy'))
    return <Empty title="There are no functions yet">Your token may look, not deploy. Somebody with the role deploy makes the first one.</Empty>;
  const sample = SAMPLES[0] as Sample;
  const create = () =>
    run(async () => {
      await platform.call('POST /functions', {
        body: { event_type: 'http|POST|/hello', function_name: 'hello', function_code: sample.code, runtime: sample.runtime },
      });
      go('functions', 'hello', 'test');
      return 'hello is deployed; call it.';
    });
  return (
    <Empty title="There are no functions yet">
      <p>
        A function is a few lines of Python, JavaScript or TypeScript under an event key such as <code>http POST /hello</code>. This one greets
        whoever is named in the body:
      </p>
      <pre class="code">{sample.code}</pre>
      <div class="actions">
        <button type="button" class="primary" disabled={busy} onClick={create}>
          Deploy this example
        </button>
        <a class="button" href={to('new')}>
          Write your own
        </a>
      </div>
      <p class="hint">
        From a terminal: <code>hearth init hello && hearth deploy hello</code>
      </p>
    </Empty>
  );
}
