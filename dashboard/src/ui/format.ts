const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(count: number): string {
  const power = count < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
}

/** @param ms milliseconds */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–';
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return longDuration(ms);
}

function longDuration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} days`;
}

export function percent(share: number): string {
  if (share === 0 || share === 1) return `${share * 100} %`;
  return `${(share * 100).toFixed(share > 0.99 ? 2 : 1)} %`;
}

export function count(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** @param at milliseconds since the epoch */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}

export function dateAndTime(at: number): string {
  return new Date(at).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
}

/** `3 min ago`, `in 2 h`. */
export function relative(at: number, now: number): string {
  const ms = Math.abs(now - at);
  if (ms < 5_000) return 'now';
  const text =
    ms < 60_000
      ? `${Math.round(ms / 1000)} s`
      : ms < 3600_000
        ? `${Math.round(ms / 60_000)} min`
        : ms < 48 * 3600_000
          ? `${Math.round(ms / 3600_000)} h`
          : `${Math.round(ms / 86_400_000)} days`;
  return at > now ? `in ${text}` : `${text} ago`;
}
