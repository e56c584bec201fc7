import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { HearthError } from '../../errors.ts';
import { usage } from '../cli-error.ts';
import { printJson } from '../print.ts';
import { TEMPLATES } from './templates.ts';

/** `hearth init`: a project of one function, ready for `hearth deploy`. Overwrites nothing. */
export async function init(folder: string, { template, json }: { template: string; json?: boolean }): Promise<void> {
  const found = TEMPLATES[template];
  if (!found) {
    const known = Object.entries(TEMPLATES).map(([name, { about }]) => `${name} (${about})`);
    throw usage(`There is no template "${template}". There are: ${known.join(', ')}.`);
  }
  const root = resolve(folder);
  const name = nameOf(root);
  await mkdir(root, { recursive: true });
  for (const [file, text] of Object.entries(found.files)) {
    await writeFile(join(root, file), text.replaceAll('NAME', name), { flag: 'wx' }).catch((cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EEXIST' ? 'it is there already, and is not overwritten' : cause.message;
      throw new HearthError('conflict', `${join(folder, file)} can't be written: ${why}.`, { cause });
    });
  }
  if (json) {
    printJson({ folder: root, function: name, template, files: Object.keys(found.files) });
    return;
  }
  process.stdout.write(`${folder} has ${Object.keys(found.files).join(', ')}: ${found.about}.

  hearth deploy ${folder}
  hearth invoke ${name} --data '{"name": "Ada"}'
  hearth dev ${folder}      # deploys again whenever a file is saved
`);
}

/** The folder's, as far as a function's name and a path may have it. */
function nameOf(root: string): string {
  const name = basename(root)
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return name === '' ? 'hello' : name.slice(0, 64);
}
