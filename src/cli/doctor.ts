import { loadConfig } from '../config.ts';
import { examineMachine } from '../main.ts';

/** `hearth doctor`: what this machine can do, probe by probe; fails when functions can't be isolated here. */
export async function doctor(options: { json?: boolean }, environment: NodeJS.ProcessEnv): Promise<void> {
  const { driver, networks, probes } = await examineMachine(loadConfig(environment, process.cwd()));
  const isolates = networks.length > 0;
  if (options.json) process.stdout.write(`${JSON.stringify({ driver, usable: isolates, networks, probes }, null, 2)}\n`);
  else {
    for (const probe of probes) process.stdout.write(`${probe.ok ? 'ok   ' : 'FAIL '} ${probe.name}: ${probe.detail}\n`);
    process.stdout.write(
      isolates
        ? `\nFunctions can be isolated here (${driver}); networks: ${networks.join(', ')}.\n`
        : '\nFunctions can not be isolated here; mend what FAILs above.\n',
    );
  }
  process.exitCode = isolates ? 0 : 1;
}
