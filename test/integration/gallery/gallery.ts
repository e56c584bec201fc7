import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../support/background-server.ts';
import { goFlags } from '../../support/go-flags.ts';
import { Hearth } from '../../support/hearth.ts';
import { RabbitMq } from '../../support/rabbitmq.ts';
import { Redis } from '../../support/redis.ts';
import { Terminal } from '../../support/terminal.ts';
import { consoleSteps, isAsWritten } from '../../support/written-session.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const EXAMPLES = join(ROOT, 'examples');

/** More than any session takes; a command that hangs is not to hang its test. */
const TIMEOUT_MS = 230_000;

/** `hearth` as its user has it, for a platform on other ports than the usual ones. */
const COMMAND = `#!/bin/sh
case "$1" in deploy) set -- "$@" --gateway "$GATEWAY" ;; esac
exec "${process.execPath}" "${join(ROOT, 'bin/hearth.js')}" "$@" --api "$API"
`;

/** A copy of the examples, and a platform with the services that they use, on which their READMEs are gone through. Dispose of it with `await using`. */
export class Gallery {
  readonly hearth: Hearth;
  readonly #folder: string;
  /** What the READMEs say, and what it is here. */
  readonly #addresses: readonly (readonly [written: string, actual: string])[];
  readonly #stack: AsyncDisposableStack;

  private constructor(hearth: Hearth, folder: string, addresses: readonly (readonly [string, string])[], stack: AsyncDisposableStack) {
    this.hearth = hearth;
    this.#folder = folder;
    this.#addresses = addresses;
    this.#stack = stack;
  }

  static async start(): Promise<Gallery> {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'hearth-gallery-'));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    await cp(EXAMPLES, join(folder, 'examples'), { recursive: true });
    // As in the checkout, scripts of the examples find what the platform itself has installed.
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await mkdir(join(folder, 'bin'));
    await writeFile(join(folder, 'bin/hearth'), COMMAND, { mode: 0o755 });
    // On a terminal it shows no progress among what it prints.
    await writeFile(join(folder, '.curlrc'), 'silent\nshow-error\n');
    const [broker, redis, slackPort] = await Promise.all([RabbitMq.start(), Redis.start(), freePort()]);
    stack.use(broker);
    stack.use(redis);
    const hearth = stack.use(
      await Hearth.start({
        settings: {
          HEARTH_AMQP_URL: broker.url,
          HEARTH_SERVICES: `cache_service:6379=127.0.0.1:${redis.port},slack:9090=127.0.0.1:${slackPort}`,
        },
      }),
    );
    const addresses = [
      ['amqp://user:password@localhost:5672', broker.url],
      ['localhost:5000', new URL(hearth.gateway).host],
      ['localhost:8000', new URL(hearth.api).host],
      ['stand-in.mjs 9090', `stand-in.mjs ${slackPort}`],
    ] as const;
    return new Gallery(hearth, folder, addresses, stack.move());
  }

  folderOf(example: string): string {
    return join(this.#folder, 'examples', example);
  }

  /**
   * Runs every command of the example's README.
   * @returns the session as it was, and as the README has it: the same where what was printed is what is written
   */
  async followReadme(example: string): Promise<{ session: string; written: string }> {
    const folder = this.folderOf(example);
    const { api, gateway } = this.hearth;
    const here = (command: string) => this.#addresses.reduce((text, [written, actual]) => text.replaceAll(written, actual), command);
    const there = (printed: string) => printed.replaceAll(gateway, 'http://127.0.0.1:5000').replaceAll(api, 'http://127.0.0.1:8000');
    const steps = consoleSteps(await readFile(join(folder, 'README.md'), 'utf8'));
    await using terminal = Terminal.open({
      cwd: folder,
      env: {
        ...process.env,
        PATH: [join(this.#folder, 'bin'), process.env.PATH].join(delimiter),
        CURL_HOME: this.#folder,
        GOFLAGS: goFlags(),
        API: api,
        GATEWAY: gateway,
      },
    });
    const end = Date.now() + TIMEOUT_MS;
    const printed: string[] = [];
    for (const { command } of steps) printed.push(await terminal.type(here(command), end - Date.now()));
    const outputs = steps.map(({ output }, at) => {
      const actual = there(printed[at] as string);
      return isAsWritten(actual, output) ? output : actual;
    });
    const transcript = (of: readonly string[]) => steps.map(({ command }, at) => `$ ${command}\n${of[at]?.trimEnd()}`).join('\n');
    return { session: transcript(outputs), written: transcript(steps.map(({ output }) => output)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
