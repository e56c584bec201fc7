import { createWriteStream } from 'node:fs';
import { lstat, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { checkBackup, restoreBackup } from '../backup/restore-backup.ts';
import { secretsKeyFile } from '../composition/files.ts';
import { loadConfig } from '../config.ts';
import { HearthError } from '../errors.ts';
import { call, type Target } from './api-client.ts';
import { printJson } from './print.ts';
import { Progress, size } from './progress.ts';

const KEY = {
  included: "the secrets' key is in it: keep it as you keep the key",
  left_out: "the secrets' key is not in it: without it the secrets can't be read (docs/secrets.md)",
  configured: "the secrets' key is a setting, and not in it",
} as const;

/** `hearth backup`: never overwrites a file, and leaves none that isn't whole. */
export async function backup(file: string, options: Target & { withKey?: boolean; json?: boolean }): Promise<void> {
  if (await isThere(file)) throw new HearthError('conflict', `${file} is there already, and is not overwritten.`);
  const partial = `${file}.partial-${process.pid}`;
  try {
    const { body: archive } = await call(options, 'POST /backup', { body: { include_key: options.withKey === true } });
    await write(Readable.fromWeb(archive as never), partial).catch((cause: Error) => {
      throw new HearthError('internal', `The backup could not be written to ${file}: ${cause.message}.`, { cause });
    });
    const { files, secrets_key: key } = await checkBackup(partial);
    await rename(partial, file);
    const bytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    if (options.json) printJson({ file, bytes, secrets_key: key });
    else process.stdout.write(`${file}: a backup of ${bytes} bytes of databases, read back and checked; ${KEY[key]}.\n`);
  } finally {
    await rm(partial, { force: true });
  }
}

/** A terminal is shown how much has come. */
async function write(archive: Readable, file: string): Promise<void> {
  using progress = new Progress('The backup');
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      progress.say(`The backup: ${size(bytes)}`);
      yield chunk;
    }
  };
  await pipeline(archive, counted, createWriteStream(file, { flags: 'wx', mode: 0o600, flush: true }));
}

/** `hearth restore` */
export async function restore(file: string, { check, json }: { check?: boolean; json?: boolean }, environment: NodeJS.ProcessEnv): Promise<void> {
  if (check) {
    const { hearth, created_at: at, secrets_key: key } = await checkBackup(file);
    if (json) printJson({ file, hearth, created_at: at, secrets_key: key });
    else process.stdout.write(`${file} is whole and undamaged: made by Hearth ${hearth} at ${at}; ${KEY[key]}.\n`);
    return;
  }
  const config = loadConfig(environment, process.cwd());
  const { hearth, created_at: at, secrets_key: key } = await restoreBackup(file, { dataFolder: config.data_dir, keyFile: secretsKeyFile(config) });
  if (json) {
    printJson({ file, data_dir: config.data_dir, hearth, created_at: at, secrets_key: key });
    return;
  }
  process.stdout.write(
    `${config.data_dir} is as it was at ${at}, under Hearth ${hearth}; ${KEY[key]}. The first start builds the layers again. ` +
      'Asynchronous invocations that were queued or running then run now, also if they have run since.\n',
  );
}

async function isThere(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}
