import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Line {
  label: string;
  /** Of the four that the page has. */
  colour: 1 | 2 | 3 | 4;
}

export interface ChartOptions {
  /** `lines` and `stack` over time; `bars` over a scale that grows twofold. */
  kind: 'lines' | 'stack' | 'bars';
  series: readonly Line[];
  /** The abscissa (milliseconds: of the epoch, or of a duration for `bars`), then one column for each of the series. */
  data: readonly (readonly (number | null)[])[];
  /** A value of the ordinate, for people. */
  format(value: number): string;
}

export interface OpenChart {
  update(options: ChartOptions): void;
  close(): void;
}

const HEIGHT = 180;

/** Draws a chart as wide as its place is, and anew when that changes, or the page goes dark. */
export function draw(place: HTMLElement, first: ChartOptions): OpenChart {
  let options = first;
  let plot = make();
  const sizes = new ResizeObserver(() => plot.setSize({ width: widthOf(place), height: HEIGHT }));
  sizes.observe(place);
  // Colours are read when it is made.
  const again = (): void => {
    plot.destroy();
    plot = make();
  };
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', again);
  const themes = new MutationObserver(again);
  themes.observe(document.documentElement, { attributeFilter: ['data-theme'] });

  function make(): uPlot {
    return new uPlot(settingsOf(options, widthOf(place)), columnsOf(options), place);
  }
  return {
    update(next) {
      options = next;
      plot.setData(columnsOf(options));
    },
    close() {
      sizes.disconnect();
      themes.disconnect();
      dark.removeEventListener('change', again);
      plot.destroy();
    },
  };
}

function widthOf(place: HTMLElement): number {
  return Math.max(200, Math.floor(place.clientWidth));
}

function settingsOf({ kind, series, format }: ChartOptions, width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour('faint'),
    grid: { stroke: colour('chart-grid'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  const histogram = kind === 'bars';
  const shape = (stroke: string): Partial<uPlot.Series> => {
    if (kind === 'lines') return { width: 2 };
    // A bar stands on the step, or the bucket, that begins at its left edge.
    const paths = uPlot.paths.bars?.({ size: [0.9, 60], align: 1 });
    return { width: 0, fill: stroke, points: { show: false }, ...(paths ? { paths } : {}) };
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: histogram ? { time: false, distr: 3, log: 2 } : { time: true }, y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.08 : 1] } },
    axes: [
      { ...axis, values: histogram ? (_plot, marks) => marks.map(durationOf) : (_plot, marks) => marks.map((at) => timeOf(at, marks)) },
      { ...axis, size: 62, values: (_plot, marks) => marks.map(format) },
    ],
    series: [
      {},
      ...series.map(({ label, colour: number }): uPlot.Series => {
        const stroke = colour(`chart-${number}`);
        return { label, stroke, spanGaps: false, ...shape(stroke) };
      }),
    ],
    ms: 1,
  };
}

/** Of a stack each column upon those before it; the highest is drawn first, so that the others stand before it. */
function columnsOf({ kind, data }: ChartOptions): uPlot.AlignedData {
  if (kind !== 'stack') return data as unknown as uPlot.AlignedData;
  const [at = [], ...columns] = data;
  const sums = columns.map((_, column) =>
    at.map((_, step) => {
      const values = columns.slice(column).map((one) => one[step] ?? null);
      return values.every((value) => value === null) ? null : values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
    }),
  );
  return [at, ...sums] as unknown as uPlot.AlignedData;
}

const DAY_MS = 86_400_000;

/** A mark of the abscissa: the time of day, or the day where marks are days apart. */
function timeOf(at: number, marks: readonly number[]): string {
  const step = (marks[1] ?? at) - (marks[0] ?? at);
  const date = new Date(at);
  return step >= DAY_MS
    ? date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
    : date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
}

/** Marks that a logarithmic scale leaves out are null. */
function durationOf(ms: number | null): string {
  if (ms === null) return '';
  return ms < 1 ? `${Math.round(ms * 1000)} µs` : ms < 1000 ? `${Math.round(ms * 10) / 10} ms` : `${Math.round(ms / 100) / 10} s`;
}
