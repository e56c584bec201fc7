import { type Examination, examineMachine } from '../composition/machine.ts';
import { loadConfig } from '../config.ts';

/**
 * `hearth doctor`: what this machine can do, probe by probe, and how well functions are isolated on it.
 * Exit codes: 0 they are isolated, fully or with what the last line says is lacking; 1 they can't be.
 */
export async function doctor(options: { json?: boolean }, environment: NodeJS.ProcessEnv): Promise<void> {
  const examination = await examineMachine(loadConfig(environment, process.cwd()));
  const { driver, isolation, networks, probes } = examination;
  const usable = isolation.level !== 'none';
  process.stdout.write(options.json ? `${JSON.stringify({ driver, usable, isolation, networks, probes }, null, 2)}\n` : describe(examination));
  process.exitCode = usable ? 0 : 1;
}

function describe({ driver, isolation, networks, probes }: Examination): string {
  const checks = probes.map(({ ok, name, detail }) => `${ok ? 'ok   ' : 'FAIL '} ${name}: ${detail}\n`).join('');
  // The lines above say why, and what to do.
  const lacking = isolation.lacking.map((text) => text.split(':', 1)[0]).join(', ');
  const verdict = {
    full: `Isolation: full (${driver}; networks: ${networks.join(', ')}).`,
    reduced: `Isolation: reduced: ${lacking}, as said above (${driver}; networks: ${networks.join(', ')}).`,
    none: 'Isolation: none. Functions can not be isolated here; mend what FAILs above.',
  };
  return `${checks}\n${verdict[isolation.level]}\n`;
}
