import { useEffect, useRef, useState } from 'preact/hooks';
import type { ChartOptions, OpenChart } from './draw.ts';

interface Props extends ChartOptions {
  title: string;
  /** What it says, in words: for who can't see it. */
  summary: string;
}

/** A chart, drawn by uPlot, which is loaded when the first one is shown. */
export function Chart({ title, summary, ...options }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<OpenChart | undefined>(undefined);
  const [failed, setFailed] = useState(false);
  const latest = useRef(options);
  latest.current = options;
  const shape = JSON.stringify([options.kind, options.series.map(({ label }) => label)]);
  useEffect(() => {
    let ended = false;
    const place = host.current;
    import('./draw.ts').then(
      ({ draw }) => {
        // Who has gone to another page meanwhile has taken the place away.
        if (!ended && place?.isConnected) chart.current = draw(place, latest.current);
      },
      () => setFailed(true),
    );
    return () => {
      ended = true;
      chart.current?.close();
      chart.current = undefined;
    };
  }, [shape]);
  useEffect(() => chart.current?.update(options), [options.data]);
  return (
    <figure class="panel chart">
      <figcaption>
        <h2>{title}</h2>
        <p class="hint">{failed ? 'The chart could not be loaded. Reload the page.' : summary}</p>
      </figcaption>
      <ul class="legend">
        {options.series.map(({ label, colour }) => (
          <li key={label}>
            <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
              <rect width="10" height="10" rx="2" fill={`var(--chart-${colour})`} />
            </svg>
            {label}
          </li>
        ))}
      </ul>
      <div ref={host} class="chart-canvas" role="img" aria-label={`${title}: ${summary}`} />
    </figure>
  );
}
