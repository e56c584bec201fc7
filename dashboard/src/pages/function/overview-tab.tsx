import { useState } from 'preact/hooks';
import { useLive } from '../../api/use-live.ts';
import { useSurroundings } from '../../context.ts';
import { Loaded } from '../../ui/states.tsx';
import { CallCharts } from '../call-charts.tsx';
import { type TimeWindow, WindowChoice } from '../window-choice.tsx';
import type { FunctionDetail } from './function-page.tsx';
import { Objectives } from './objectives.tsx';
import { Settings } from './settings.tsx';

const EVERY_MS = 5_000;

/** How its calls went, and what it was registered with. */
export function OverviewTab({ definition }: { definition: FunctionDetail }) {
  const { platform } = useSurroundings();
  const { function_name: name } = definition;
  const [window, setWindow] = useState<TimeWindow>('1h');
  const live = useLive(
    (signal) => platform.call('GET /functions/{function_name}/series', { path: { function_name: name }, query: { window }, signal }),
    EVERY_MS,
    `${name} ${window}`,
  );
  return (
    <>
      <WindowChoice value={window} onChoose={setWindow} />
      <Loaded live={live} what="what was counted">
        {(series) =>
          series.counted ? (
            <CallCharts series={series} />
          ) : (
            <p class="note">
              More functions are called than are counted one by one (<code>metrics.max_functions</code>), and this one is among the others.
            </p>
          )
        }
      </Loaded>
      {definition.slo !== null && <Objectives name={name} />}
      <Settings definition={definition} />
    </>
  );
}
