import { HearthError } from '../errors.ts';
import type { FunctionDefinition } from '../schemas/function.ts';
import type { RuntimeName } from '../schemas/runtime-name.ts';
import { policyOf } from './check-policy.ts';
import { checkProgram } from './check-program.ts';
import { sloOf } from './check-slo.ts';

/** Segments of the control plane's own URLs under /functions, which a function of that name would never be reached at. */
const RESERVED_NAMES = new Set(['trigger', 'instances']);
/** They travel to the sandbox in one frame. */
const MAX_ENVIRONMENT_BYTES = 512 * 1024;
const MIB = 1024 * 1024;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What the schema can't say. @throws HearthError invalid_request that names the member */
export function checkDefinition(definition: FunctionDefinition): void {
  if (RESERVED_NAMES.has(definition.function_name)) {
    throw invalid('function_name', `"${definition.function_name}" is a name of the control plane's own; choose another.`);
  }
  // Such text has no UTF-8 form, so that what runs would differ from what was registered.
  for (const member of ['function_code', 'requirements'] as const) {
    if (definition[member]?.isWellFormed() === false) throw invalid(member, 'the text has a lone surrogate, which is no Unicode character.');
  }
  const isPython = (definition.runtime ?? 'python') === 'python';
  if (isPython && definition.style === 'web') throw invalid('style', '"web" is a style of Node.js; Python has "script" and "handler".');
  if (!isPython && definition.requirements !== undefined) throw invalid('requirements', 'is for Python; Node.js has `package_json`.');
  if (isPython && definition.package_json !== undefined) throw invalid('package_json', 'is for Node.js; Python has `requirements`.');
  for (const member of ['package_lock', 'allow_scripts'] as const) {
    if (definition[member] !== undefined && definition.package_json === undefined)
      throw invalid(member, 'belongs to a `package_json`, and there is none.');
  }
  checkSource(definition);
  policyOf(definition);
  sloOf(definition);
  checkProgram(definition);
  let environmentBytes = 0;
  for (const [name, value] of Object.entries(definition.environment ?? {})) {
    if (!VARIABLE_NAME.test(name)) {
      throw invalid(`environment.${name}`, 'a variable name is made of letters, digits and `_`, and does not begin with a digit.');
    }
    if (typeof value !== 'string' || value.includes('\0') || !value.isWellFormed()) {
      throw invalid(`environment.${name}`, 'a value is a text without NUL characters and lone surrogates.');
    }
    environmentBytes += Buffer.byteLength(JSON.stringify([name, value]));
  }
  if (environmentBytes > MAX_ENVIRONMENT_BYTES) {
    throw invalid('environment', `all variables together are larger than ${MAX_ENVIRONMENT_BYTES} bytes as JSON text.`);
  }
  const { min_backoff_ms: least, max_backoff_ms: most } = definition.retry ?? {};
  if (least !== undefined && most !== undefined && least > most) throw invalid('retry.min_backoff_ms', 'it is larger than retry.max_backoff_ms.');
  for (const name of definition.secrets ?? []) {
    if (Object.hasOwn(definition.environment ?? {}, name))
      throw invalid('secrets', `${name} stands in \`environment\` too; a variable has one value.`);
  }
}

function checkSource({ function_code: code, files, bundle, entry }: FunctionDefinition): void {
  const given = [code, files, bundle].filter((member) => member !== undefined).length;
  if (given === 0) throw invalid('function_code', 'is missing: the code of the function comes as `function_code`, `files` or `bundle`.');
  if (given > 1) throw invalid('function_code', 'the code of the function comes as one of `function_code`, `files` and `bundle`, not as several.');
  if (entry !== undefined && code !== undefined) throw invalid('entry', 'names a file of a bundle, and the function is one text.');
}

export interface LimitBounds {
  /** Bytes. */
  memoryBytes: number;
  /** Cores; null: CPU time can't be bounded on this machine. */
  cpu: number | null;
}

/** What the operator allows. @throws HearthError invalid_request that names the member */
export function checkLimits({ memory_mb: memory, cpu }: FunctionDefinition, bounds: LimitBounds): void {
  const largest = Math.floor(bounds.memoryBytes / MIB);
  if (memory !== undefined && memory > largest) {
    throw invalid('memory_mb', `an instance may have ${largest} at most here; the platform's limits.max_memory_per_instance_bytes says so.`);
  }
  if (cpu === undefined) return;
  if (bounds.cpu === null) {
    throw invalid('cpu', 'CPU time can not be bounded on this machine; leave it out. `hearth doctor` (check `limits cpu`) says why.');
  }
  if (cpu > bounds.cpu) throw invalid('cpu', `an instance may have ${bounds.cpu} cores at most here; the platform's limits.max_cpu says so.`);
}

/** @throws HearthError invalid_request */
export function checkRuntime({ runtime }: FunctionDefinition, runtimes: readonly RuntimeName[]): void {
  if (runtime === undefined || runtimes.includes(runtime)) return;
  throw invalid(
    'runtime',
    `the platform has no "${runtime}"; it has ${runtimes.join(', ')}. Its setting sandbox.node, with the docker driver docker.node_images, says which versions of Node.js.`,
  );
}

function invalid(field: string, message: string): HearthError {
  return new HearthError('invalid_request', `${field}: ${message}`, { extra: { errors: [{ field, message }] } });
}
