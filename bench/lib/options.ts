import { parseArgs } from 'node:util';

/** What the command line chose. */
export interface Options {
  /** Names of cases; empty: all. */
  cases: readonly string[];
  /** Rounds of interleaved load; the reported figure is their median. */
  rounds: number;
  /** Seconds of load of one kind on one server in one round. */
  seconds: number;
  /** Single calls in rows that are made of single calls. */
  count: number;
  /** Containers in rows about Docker. */
  containers: number;
  /** What is counted in hundreds and thousands (functions, instances) is cut to a twentieth. */
  quick: boolean;
  docker: boolean;
  /** The default libraries of functions are there. Without them the platform starts at once, and scripts can't be measured. */
  libraries: boolean;
  json: string | null;
  write: boolean;
  help: boolean;
}

export const USAGE = `Usage: npm run bench -- [options] [case …]

  --quick            short: one round, few calls, functions and instances; the figures are rough
  --rounds <n>       rounds of interleaved load (5; quick 1)
  --seconds <n>      seconds of each load (1)
  --count <n>        single calls where single calls are measured (80; quick 10)
  --containers <n>   containers that are run (15; quick 3)
  --no-docker        leave out what needs Docker
  --no-libraries     start the platform without libraries for functions; leaves out scripts
  --json <file>      also write everything that was measured
  --write            put the tables into bench/README.md
`;

/** @throws TypeError naming what was not understood */
export function parseOptions(argv: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    allowNegative: true,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      count: { type: 'string' },
      containers: { type: 'string' },
      docker: { type: 'boolean', default: true },
      libraries: { type: 'boolean', default: true },
      json: { type: 'string' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const quick = values.quick;
  return {
    cases: positionals,
    quick,
    rounds: positive('rounds', values.rounds, quick ? 1 : 5),
    seconds: positive('seconds', values.seconds, 1),
    count: positive('count', values.count, quick ? 10 : 80),
    containers: positive('containers', values.containers, quick ? 3 : 15),
    docker: values.docker,
    libraries: values.libraries,
    json: values.json ?? null,
    write: values.write,
    help: values.help,
  };
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new TypeError(`--${name} takes a whole number above 0, not ${JSON.stringify(text)}`);
  return Number(text);
}
