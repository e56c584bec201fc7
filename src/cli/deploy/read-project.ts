import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Compile } from 'typebox/compile';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { HearthError } from '../../errors.ts';
import type { FunctionDefinition } from '../../schemas/function.ts';
import { IN_FILES, Project } from '../../schemas/project.ts';

const PROJECT_FILES = ['hearth.json', 'hearth.yaml', 'hearth.yml'];

/** A definition that lacks its bundle. */
export type ProjectFunction = Omit<FunctionDefinition, 'function_code' | 'files' | 'bundle'>;

/** @throws HearthError invalid_request that names the file and the line */
export async function readProject(folder: string): Promise<{ file: string; functions: ProjectFunction[] }> {
  const found = (
    await Promise.all(
      PROJECT_FILES.map(async (name) => ({ name, text: await readFile(join(folder, name), 'utf8').catch(missing(join(folder, name))) })),
    )
  ).filter((entry) => entry.text !== undefined);
  const [first, second] = found;
  if (first === undefined) throw invalid(`${folder} has no ${PROJECT_FILES.join(', ')}; docs/bundles.md has an example.`);
  if (second !== undefined) throw invalid(`${folder} has both ${first.name} and ${second.name}; keep one.`);
  const file = join(folder, first.name);
  const project = parse(file, first.text as string);
  const functions = await Promise.all(Object.entries(project.functions).map(([name, own]) => definitionOf(folder, file, project, name, own)));
  return { file, functions };
}

function parse(file: string, text: string): Project {
  const lines = new LineCounter();
  // JSON is YAML too.
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [broken] = document.errors;
  if (broken) throw invalid(`${file}:${broken.linePos?.[0].line ?? 1}: ${broken.message.split('\n')[0]}`);
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  // Here, since other commands have no use for it.
  const validator = Compile(Project);
  if (validator.Check(value)) return value;
  const [error] = validator.Errors(value) as Iterable<{ keyword: string; instancePath: string; params: Record<string, unknown>; message: string }>;
  if (error === undefined) throw invalid(`${file}: does not fit the schema docs/hearth.schema.json.`);
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const unknown = error.keyword === 'additionalProperties' ? (error.params.additionalProperties as string[])[0] : undefined;
  const missingMember = error.keyword === 'required' ? (error.params.requiredProperties as string[])[0] : undefined;
  const named = [...path, ...[unknown ?? missingMember].filter((name) => name !== undefined)].join('.');
  const what = unknown !== undefined || error.keyword === 'boolean' ? 'is not known' : missingMember !== undefined ? 'is missing' : error.message;
  throw invalid(`${file}:${lineOf(document, lines, unknown === undefined ? path : [...path, unknown])}: ${named || 'the file'} ${what}.`);
}

/** Of the name of a member, or of the item. */
function lineOf(document: Document, lines: LineCounter, path: readonly string[]): number {
  const parent = path.length > 1 ? document.getIn(path.slice(0, -1), true) : document.contents;
  const key = isMap(parent) ? parent.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === path.at(-1))?.key : undefined;
  const node = key ?? (path.length > 0 ? document.getIn(path, true) : document.contents);
  return isNode(node) && node.range ? lines.linePos(node.range[0]).line : 1;
}

async function definitionOf(
  folder: string,
  file: string,
  { defaults = {} }: Project,
  name: string,
  own: Project['functions'][string],
): Promise<ProjectFunction> {
  const { on, ...members } = { ...defaults, ...own };
  const environment = { ...defaults.environment, ...own.environment };
  const settings: Partial<Record<string, unknown>> = members;
  for (const member of IN_FILES) {
    const path = members[`${member}_file`];
    if (path === undefined) continue;
    if (members[member] !== undefined) throw invalid(`${file}: functions.${name} has both ${member} and ${member}_file; keep one.`);
    settings[member] = await readFile(join(folder, path), 'utf8').catch((cause: Error) => {
      throw invalid(`${file}: functions.${name}.${member}_file can't be read: ${cause.message}.`);
    });
    delete settings[`${member}_file`];
  }
  return { ...settings, event_type: on, function_name: name, ...(Object.keys(environment).length > 0 ? { environment } : {}) };
}

function missing(file: string) {
  return (cause: NodeJS.ErrnoException): undefined => {
    if (cause.code === 'ENOENT') return undefined;
    throw invalid(`${file} can't be read: ${cause.message}.`);
  };
}

function invalid(message: string): HearthError {
  return new HearthError('invalid_request', message);
}
