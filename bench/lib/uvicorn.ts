import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { Child, listening } from './child.ts';
import { CACHE, PROGRAMS } from './folders.ts';
import { freePort } from './free-port.ts';
import { runCommand } from './run-command.ts';

const FOLDER = `${CACHE}uvicorn`;
const PYTHON = `${FOLDER}/bin/python`;
/** What functions run on, too: the baseline has the same interpreter. */
const BASE_PYTHON = '/usr/bin/python3';

/** One worker process, uvloop and httptools, no access log. Dispose of the child. */
export async function startUvicorn(): Promise<{ child: Child; url: string; version: string }> {
  await install();
  const version = (await runCommand(PYTHON, ['-c', 'import uvicorn; print(uvicorn.__version__)'])).trim();
  const port = await freePort();
  const args = [
    '-m',
    'uvicorn',
    'hello_asgi:app',
    '--port',
    String(port),
    '--loop',
    'uvloop',
    '--http',
    'httptools',
    '--no-access-log',
    '--log-level',
    'warning',
  ];
  const child = new Child(PYTHON, args, { cwd: PROGRAMS, env: { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1' } });
  try {
    await listening(child, port);
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
  return { child, url: `http://127.0.0.1:${port}/`, version };
}

/** Into the cache, once. */
async function install(): Promise<void> {
  if (existsSync(`${FOLDER}/.complete`)) return;
  await mkdir(CACHE, { recursive: true });
  await rm(FOLDER, { recursive: true, force: true });
  await runCommand(BASE_PYTHON, ['-m', 'venv', FOLDER]);
  await runCommand(PYTHON, ['-m', 'pip', 'install', '--quiet', 'uvicorn', 'uvloop', 'httptools']);
  await mkdir(`${FOLDER}/.complete`);
}
