import type { Sample } from './samples.ts';
import { mebibytes, type SoakReport } from './soak.ts';

/** As Markdown. */
export function reportOf(report: SoakReport, command: string, machine: readonly string[]): string {
  const { isolation, tallies, before, after, samples, trends, problems } = report;
  const most = (of: (sample: Sample) => number): number => Math.max(...samples.map(of));
  const held = (label: string, of: (sample: Sample) => number, show: (value: number) => string = String): string[] => [
    label,
    show(of(before)),
    show(most(of)),
    show(of(after)),
  ];
  const calls = [...tallies].map(([kind, { calls, failures, totalMs, longestMs }]) => {
    const well = calls - failures;
    return [
      kind,
      String(calls),
      String(failures),
      `${((100 * well) / calls).toFixed(well === calls ? 0 : 3)} %`,
      (totalMs / Math.max(1, well)).toFixed(0),
      longestMs.toFixed(0),
    ];
  });
  const lines = [
    `\`${command}\` · ${machine.join(' · ')} · ${isolation}`,
    '',
    ...table(['', 'calls', 'failed', 'as they should', 'mean ms', 'longest ms'], calls),
    '',
    ...table(
      ['what the platform holds', 'at rest before', 'most in a sample', 'at rest after'],
      [
        held('processes below it', ({ processes }) => processes),
        held('its descriptors', ({ descriptors }) => descriptors),
        held('cgroups', ({ cgroups }) => cgroups),
        held('mounts in its namespace', ({ mounts }) => mounts),
        held('files in its folders, databases left out', ({ files }) => files),
        held('user ids of sandboxes', ({ users }) => users),
        held('RSS of its own process', ({ rssBytes }) => rssBytes, mebibytes),
        held('V8 heap in use', ({ heapBytes }) => heapBytes, mebibytes),
      ],
    ),
    '',
    ...trends.map(
      ({ what, bytesPerSecond, grownBytes, keptBytes, boundBytes }) =>
        `- ${what}: the line through it after the first quarter of ${samples.length} samples rises by ${((bytesPerSecond * 3600) / 2 ** 20).toFixed(1)} MiB an hour, ${mebibytes(grownBytes)} in all, and at rest there is ${mebibytes(keptBytes)} more than before; the bound is ${mebibytes(boundBytes)}.`,
    ),
    problems.length === 0 ? '- No failure; after SIGTERM no process, cgroup, mount or user id was left.' : '',
    ...problems.map((problem) => `- PROBLEM: ${problem}`),
  ];
  return `${lines.join('\n')}\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)];
}
