import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { packFolder } from '../../../src/cli/deploy/pack-folder.ts';
import { readProject } from '../../../src/cli/deploy/read-project.ts';

const YAML = `defaults:
  memory_mb: 64
functions:
  greet:
    on: http|GET|/greet
    timeout_ms: 5000
`;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-project-'));
  return () => rm(folder, { recursive: true, force: true });
});

const put = (name: string, text: string) => writeFile(join(folder, name), text);

describe('a project file', () => {
  it.each([
    ['a member that is not known', YAML.replace('timeout_ms', 'timeout'), 'hearth.yaml:6: functions.greet.timeout is not known.'],
    ['a default that is not known', YAML.replace('memory_mb', 'memory'), 'hearth.yaml:2: defaults.memory is not known.'],
    ['a member that is missing', YAML.replace('    on: http|GET|/greet\n', ''), 'hearth.yaml:4: functions.greet.on is missing.'],
    ['a value that does not fit', YAML.replace('5000', '-1'), 'hearth.yaml:6: functions.greet.timeout_ms must be'],
    ['a name twice', `${YAML}  greet:\n    on: http|GET|/other\n`, 'hearth.yaml:7: Map keys must be unique'],
    ['what is no YAML', `${YAML}  - x: [\n`, 'hearth.yaml:'],
    ['a requirements file that is not there', YAML.replace('timeout_ms: 5000', 'requirements_file: no.txt'), 'functions.greet.requirements_file'],
    [
      'packages that are named twice',
      YAML.replace('timeout_ms: 5000', 'package_json: "{}"\n    package_json_file: p.json'),
      'has both package_json and package_json_file',
    ],
    ['nothing', '', 'hearth.yaml:1: '],
  ])('is refused with file and line for %s', async (_, text, said) => {
    await put('hearth.yaml', text);
    await expect(readProject(folder)).rejects.toThrow(said);
  });

  it('may be JSON, with a schema for editors; defaults hold where a function says nothing', async () => {
    const functions = { greet: { on: 'http|GET|/greet', requirements_file: 'r.txt', environment: { A: '2' } } };
    await put('hearth.json', JSON.stringify({ $schema: './hearth.schema.json', defaults: { cpu: 1, environment: { A: '1', B: '1' } }, functions }));
    await put('r.txt', 'pika\n');
    expect((await readProject(folder)).functions).toEqual([
      { event_type: 'http|GET|/greet', function_name: 'greet', cpu: 1, requirements: 'pika\n', environment: { A: '2', B: '1' } },
    ]);
  });

  it('may have its packages of npm in files', async () => {
    await put(
      'hearth.json',
      JSON.stringify({ functions: { greet: { on: 'http|GET|/greet', package_json_file: 'p.json', package_lock_file: 'l.json' } } }),
    );
    await put('p.json', '{"dependencies": {}}');
    await put('l.json', '{}');
    expect((await readProject(folder)).functions).toEqual([
      { event_type: 'http|GET|/greet', function_name: 'greet', package_json: '{"dependencies": {}}', package_lock: '{}' },
    ]);
  });

  it('is one and only one', async () => {
    await expect(readProject(folder)).rejects.toThrow('has no hearth.json');
    await put('hearth.json', '{}');
    await put('hearth.yml', YAML);
    await expect(readProject(folder)).rejects.toThrow('has both hearth.json and hearth.yml');
  });
});

describe("a project's files", () => {
  it('follow links within the project, and are refused for those that lead out', async () => {
    await put('a.txt', 'hello');
    await symlink('a.txt', join(folder, 'b.txt'));
    expect((await packFolder(folder)).files).toEqual([
      { path: 'a.txt', size: 5 },
      { path: 'b.txt', size: 5 },
    ]);
    await symlink('/etc/passwd', join(folder, 'passwd'));
    await expect(packFolder(folder)).rejects.toThrow('passwd leads out of the project');
  });

  it('are those that .gitignore leaves, or .hearthignore where there is one', async () => {
    await put('a.txt', '');
    await put('.env', '');
    await put('.gitignore', 'a.txt\n');
    expect((await packFolder(folder)).files).toEqual([]);
    await put('.hearthignore', '!.env\n');
    expect((await packFolder(folder)).files.map(({ path }) => path)).toEqual(['.env', 'a.txt']);
  });
});
