import type { ResponseOf } from '../../../src/client/client.ts';

export type TimeWindow = ResponseOf<'GET /series'>['window'];

const WINDOWS: readonly (readonly [TimeWindow, string])[] = [
  ['15m', '15 minutes'],
  ['1h', 'hour'],
  ['6h', '6 hours'],
  ['24h', '24 hours'],
  ['7d', '7 days'],
  ['30d', '30 days'],
];

export function WindowChoice({ value, onChoose }: { value: TimeWindow; onChoose: (window: TimeWindow) => void }) {
  return (
    <div class="row">
      <label>
        The last
        <select value={value} onChange={(event) => onChoose(event.currentTarget.value as TimeWindow)}>
          {WINDOWS.map(([id, name]) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
