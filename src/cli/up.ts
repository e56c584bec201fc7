import { loadConfig } from '../config.ts';
import { HearthError } from '../errors.ts';
import { type Platform, startPlatform } from '../main.ts';

/** `hearth up`: starts the platform and stays until SIGTERM or SIGINT; a second signal doesn't wait for what runs. */
export async function up(version: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const config = loadConfig(environment, process.cwd());
  const platform = await startPlatform(config, process.stdout.isTTY === true);

  const stop = (): void => {
    process.off('SIGTERM', stop).off('SIGINT', stop);
    // Sandboxes die with us: the kernel sees to it.
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => process.exit(1));
    platform.drain().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(
          `hearth: the platform did not stop cleanly: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
        );
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);

  await say(
    `Hearth ${version} is starting: the libraries of requirements.functions.txt are being looked for (the first start installs them, which takes a minute).\n`,
  );
  const trouble = await platform.layersReady.then(
    () => null,
    (error: unknown) => error,
  );
  await say(greeting(version, platform));
  if (trouble instanceof HearthError) {
    await say(
      `\nFunctions can not be registered yet: ${trouble.message}\nThe build is tried again with the next registration. To run without libraries: HEARTH_LAYERS_REQUIREMENTS=/dev/null\n`,
    );
  }
}

function greeting(version: string, { gatewayUrl, apiUrl, driver, network, tokensNeeded }: Platform): string {
  const token = tokensNeeded ? ' -H "Authorization: Bearer $HEARTH_TOKEN"' : '';
  return `
Hearth ${version} is up. Driver: ${driver}; network of functions: ${network}.

  Gateway        ${gatewayUrl}
  Control plane  ${apiUrl}${tokensNeeded ? '   (with a token)' : ''}
  API docs       ${apiUrl}/docs

Try it:

  curl -X POST ${apiUrl}/functions${token} -H 'Content-Type: application/json' \\
    -d '{"event_type": "http|POST|/hello", "function_name": "hello", "function_code": "def handler(message, context):\\n    return {\\"hello\\": message[\\"body\\"][\\"name\\"]}\\n"}'
  curl ${apiUrl}/functions${token}
  curl -X POST ${gatewayUrl}/hello -H 'Content-Type: application/json' -d '{"name": "Valera"}'

Stop with Ctrl-C.
`;
}

function say(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(text, () => resolve());
  });
}
