import { type Examination, examineMachine } from '../composition/machine.ts';
import { loadConfig } from '../config.ts';
import { EXIT } from './cli-error.ts';
import { good, printJson, wrong } from './print.ts';

/**
 * `hearth doctor`: what this machine can do, probe by probe, and how well functions are isolated on it. Exit codes: 0 they are isolated, fully or with what the
 * last line says is lacking; 1 they can't be, or what is set can not work.
 */
export async function doctor(options: { json?: boolean }, environment: NodeJS.ProcessEnv): Promise<void> {
  const examination = await examineMachine(loadConfig(environment, process.cwd()));
  const { driver, isolation, networks, probes, unusable } = examination;
  const usable = isolation.level !== 'none' && unusable.length === 0;
  if (options.json) printJson({ driver, usable, isolation, networks, unusable, probes });
  else process.stdout.write(describe(examination));
  process.exitCode = usable ? EXIT.done : EXIT.failed;
}

function describe({ driver, isolation, networks, probes, unusable }: Examination): string {
  const checks = probes.map(({ ok, name, detail }) => `${ok ? good('ok   ') : wrong('FAIL ')} ${name}: ${detail}\n`).join('');
  const settings = unusable.map((text) => `${wrong('Set, but not to be had here:')} ${text}\n`).join('');
  // The lines above say why, and what to do.
  const lacking = isolation.lacking.map((text) => text.split(':', 1)[0]).join(', ');
  const verdict = {
    full: `Isolation: full (${driver}; networks: ${networks.join(', ')}).`,
    reduced: `Isolation: reduced: ${lacking}, as said above (${driver}; networks: ${networks.join(', ')}).`,
    none: 'Isolation: none. Functions can not be isolated here; mend what FAILs above.',
  };
  return `${checks}\n${settings}${verdict[isolation.level]}\n`;
}
