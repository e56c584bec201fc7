import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pipEnvironment } from './pip-environment.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-pip-environment-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('certificate files come along under /input, each once', async () => {
  const file = join(folder, 'ca.pem');
  writeFileSync(file, 'certificates');
  const { environment, inputs } = await pipEnvironment({ PIP_CERT: file, SSL_CERT_FILE: file, https_proxy: 'http://proxy.example:3128' });
  expect(inputs).toEqual({ 'certificates-0.pem': 'certificates' });
  expect(environment).toMatchObject({
    PIP_CERT: '/input/certificates-0.pem',
    SSL_CERT_FILE: '/input/certificates-0.pem',
    https_proxy: 'http://proxy.example:3128',
  });
});

test('a certificate file that can not be read stays as it was named', async () => {
  const { environment, inputs } = await pipEnvironment({ PIP_CERT: join(folder, 'missing.pem') });
  expect(inputs).toEqual({});
  expect(environment.PIP_CERT).toBe(join(folder, 'missing.pem'));
});

test('settings that contradict how layers are built are left out', async () => {
  const { environment } = await pipEnvironment({
    PIP_USER: '1',
    PIP_TARGET: '/x',
    PIP_NO_COMPILE: '1',
    PIP_INDEX_URL: 'https://index.example/simple',
  });
  expect(environment).toEqual({
    PIP_INDEX_URL: 'https://index.example/simple',
    HOME: '/build',
    TMPDIR: '/build',
    LANG: 'C.UTF-8',
    PYTHONNOUSERSITE: '1',
  });
});
