import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Hearth } from '../../support/hearth.ts';
import { hearthCommand } from '../../support/hearth-command.ts';

const YAML = `# A project of two functions.
defaults:
  environment: { GREETING: hello, NAME: nobody }
functions:
  greet:
    on: http|GET|/greet
    entry: src/greet.py
    environment: { NAME: world }
  count:
    on: http|GET|/count
    entry: src/count.py
    timeout_ms: 5000
`;

const FILES = {
  'hearth.yaml': YAML,
  'src/greet.py':
    'import os\nfrom lib.words import join\n\ndef handler(message, context):\n    return {"said": join(os.environ["GREETING"], os.environ["NAME"])}\n',
  'src/count.py':
    'import os\n\ndef handler(message, context):\n    return {"files": sorted(os.path.relpath(os.path.join(f, n), ".") for f, _, ns in os.walk(".") for n in ns)}\n',
  'lib/words.py': 'def join(*words):\n    return " ".join(words)\n',
  '.hearthignore': '*.log\nbuild/\n!build/\nsecret-*\n',
  'debug.log': 'x',
  'secret-notes.txt': 'x',
  '.env': 'PASSWORD=x',
  'src/__pycache__/greet.pyc': 'x',
};

let hearth: Hearth;
let folder: string;

beforeAll(async () => {
  hearth = await Hearth.start();
});

afterAll(async () => {
  await hearth[Symbol.asyncDispose]();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-project-'));
  for (const [path, content] of Object.entries(FILES)) await put(path, content);
  return () => rm(folder, { recursive: true, force: true });
});

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

const deploy = (...args: string[]) => hearthCommand(['deploy', folder, '--api', hearth.api, '--gateway', hearth.gateway, ...args]);

describe('hearth deploy', () => {
  it('says what it would do, and does nothing', async () => {
    const { code, stdout } = await deploy('--dry-run');
    expect(code).toBe(0);
    expect(stdout).toContain('Would deploy 4 files');
    expect(stdout).toContain(`GET ${hearth.gateway}/greet`);
    expect(await (await fetch(`${hearth.api}/functions`)).json()).toEqual({});
  });

  it('deploys the functions of a project, and tells where they are', async () => {
    const { code, stdout, stderr } = await deploy();
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`greet +1 +new +GET ${hearth.gateway}/greet`));
    expect(await (await fetch(`${hearth.gateway}/greet`)).json()).toEqual({ said: 'hello world' });
    expect(await (await fetch(`${hearth.gateway}/count`)).json()).toEqual({ files: ['hearth.yaml', 'lib/words.py', 'src/count.py', 'src/greet.py'] });
  });

  it('changes nothing when nothing has changed, and what has when something has', async () => {
    expect((await deploy()).code).toBe(0);
    const again = JSON.parse((await deploy('--json')).stdout);
    expect(again.functions).toMatchObject([
      { function: 'greet', version: 1, created: false },
      { function: 'count', version: 1, created: false },
    ]);
    await put('lib/words.py', 'def join(*words):\n    return "-".join(words)\n');
    const changed = JSON.parse((await deploy('--json')).stdout);
    expect(changed.functions).toMatchObject([
      { version: 2, created: true, url: `GET ${hearth.gateway}/greet` },
      { version: 2, created: true },
    ]);
    expect(await (await fetch(`${hearth.gateway}/greet`)).json()).toEqual({ said: 'hello-world' });
  });

  it('names file and line of a mistake in the project file', async () => {
    await put('hearth.yaml', YAML.replace('timeout_ms', 'timeout'));
    const { code, stderr } = await deploy();
    expect(stderr).toContain('hearth.yaml:12: functions.count.timeout is not known');
    expect(code).toBe(1);
  });

  it('tells which function the platform refused, and which it took before', async () => {
    await put('src/count.py', 'def handler(:\n');
    const { code, stderr } = await deploy();
    expect(code).toBe(1);
    expect(stderr).toMatch(/functions\.count: .*line 1.* Deployed before it: greet\./);
  });
});
