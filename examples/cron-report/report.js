// What was sold, by town. The schedule runs it, and keeps what it returns in the record of the invocation.
import { readFile } from 'node:fs/promises';

export const handler = async (message) => {
  // The instant that it was due, not the one at which it runs: a report that comes late, or a second time, is still that of its day.
  const { scheduled_at: due } = message.body;
  const totals = {};
  // A file of the project here, to be short; a database most often.
  const [, ...lines] = (await readFile('sales.csv', 'utf8')).trimEnd().split('\n');
  for (const [at, line] of lines.entries()) {
    const [town, cents] = line.split(',');
    // An exception is a failed run: tried again, told to the alarm at last, and in no case half a report.
    if (!/^\d+$/.test(cents)) throw new Error(`sales.csv, line ${at + 2}: "${cents}" is no number of cents`);
    totals[town] = (totals[town] ?? 0) + Number(cents);
  }
  return { day: due.slice(0, 10), totals };
};
