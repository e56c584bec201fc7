// Tells what a function's source is, without running it: prints one JSON object and exits 0.
//
// Usage: node --experimental-vm-modules inspect-code.mjs FILE [OUTPUT [LANGUAGE FORMAT]]
// LANGUAGE is javascript or typescript, FORMAT module, commonjs or any, where a file's name and package say so; otherwise the syntax tells.
// Prints {"format", "style", "web", "asynchronous", "typescript"}, with "shape" of a function made for another platform, or {"error": {"message", "line"}}.
// TypeScript's JavaScript is written to OUTPUT, every line
// and column where it was. Runs inside a sandbox: the source is somebody else's. Needs acorn.mjs beside it.

import { readFileSync, writeFileSync } from 'node:fs';
import * as nodeModule from 'node:module';
import vm from 'node:vm';
import { parse } from './acorn.mjs';

/** First parameters by which a default function is known to take a Request. */
const REQUEST_NAMES = new Set(['request', 'req']);
const WRAPPER = ['exports', 'require', 'module', '__filename', '__dirname'];

/** Throws a SyntaxError as Node.js itself would. */
function accept(format, script) {
  if (format === 'module') new vm.SourceTextModule(script, { identifier: 'function.mjs' });
  else vm.compileFunction(script.replace(/^#!.*/, ''), WRAPPER, { filename: 'function.cjs' });
}

/**
 * The format whose grammar it has, as Node.js finds it out: CommonJS, unless it is an ES module by its syntax.
 * @param given the only one that it may have; `any`: none is given
 */
function formatOf(script, given) {
  if (given !== 'any') {
    try {
      accept(given, script);
      return { format: given };
    } catch (error) {
      return { error, format: given };
    }
  }
  try {
    accept('commonjs', script);
    return { format: 'commonjs' };
  } catch (error) {
    try {
      accept('module', script);
      return { format: 'module' };
    } catch (moduleError) {
      return { error: /^\s*(import|export)\b/m.test(script) ? moduleError : error };
    }
  }
}

/** Where an error is: V8 and Node.js put it in front of the stack, V8 not for ES modules; acorn finds it there. */
function lineOf(error, format, script) {
  const found = /^[^\n]*:(\d+)\n/.exec(String(error.stack));
  if (found !== null) return Number(found[1]);
  try {
    parse(script, options(format));
  } catch (parserError) {
    return parserError.loc?.line ?? null;
  }
  return null;
}

/** @returns {format, script, typescript} or {error, line} */
function read(text, { language, format }) {
  if (language !== 'typescript') {
    const plain = formatOf(text, format);
    if (plain.error === undefined) return { ...plain, script: text, typescript: false };
    if (language === 'javascript') return { error: plain.error, line: lineOf(plain.error, plain.format ?? 'module', text) };
  }
  let script;
  try {
    script = nodeModule.stripTypeScriptTypes(text, { mode: 'strip' });
  } catch (error) {
    return { error, line: lineOf(error, 'module', text) };
  }
  const stripped = formatOf(script, format);
  if (stripped.error === undefined) return { ...stripped, script, typescript: true };
  return { error: stripped.error, line: lineOf(stripped.error, 'module', script) };
}

const options = (format) => ({
  ecmaVersion: 'latest',
  sourceType: format === 'module' ? 'module' : 'script',
  allowReturnOutsideFunction: format === 'commonjs',
  allowHashBang: true,
  locations: true,
});

const isFunction = (node) => /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node?.type ?? '');

/** The function that a name stands for, if the top level says so. */
function resolveName(body, node) {
  if (node?.type !== 'Identifier') return node;
  for (const outer of body) {
    const statement = outer.type === 'ExportNamedDeclaration' && outer.declaration ? outer.declaration : outer;
    if (/^(Function|Class)Declaration$/.test(statement.type) && statement.id?.name === node.name) return statement;
    if (statement.type !== 'VariableDeclaration') continue;
    for (const { id, init } of statement.declarations) if (id.type === 'Identifier' && id.name === node.name && init) return init;
  }
  return node;
}

const keyOf = ({ key, computed }) => (computed ? undefined : (key?.name ?? key?.value));

function memberOf(object, name) {
  return object?.type === 'ObjectExpression' ? object.properties.find((property) => keyOf(property) === name)?.value : undefined;
}

/** {handler, standard}: what `handler` and the default export are. */
function moduleExports(body) {
  const found = {};
  for (const statement of body) {
    if (statement.type === 'ExportDefaultDeclaration') found.standard = resolveName(body, statement.declaration);
    if (statement.type !== 'ExportNamedDeclaration') continue;
    const { declaration, specifiers } = statement;
    if (declaration?.id?.name === 'handler') found.handler = declaration;
    for (const { id, init } of declaration?.declarations ?? []) if (id.name === 'handler') found.handler = init ?? id;
    for (const { exported, local } of specifiers) {
      const name = exported.name ?? exported.value;
      if (name === 'handler') found.handler = resolveName(body, local);
      if (name === 'default') found.standard = resolveName(body, local);
    }
  }
  return found;
}

/** The same of `module.exports = …`, `exports.handler = …` and `module.exports.handler = …` at the top level. */
function commonJsExports(body) {
  const found = {};
  for (const { expression } of body) {
    for (let node = expression; node?.type === 'AssignmentExpression'; node = node.right) {
      let value = node.right;
      while (value.type === 'AssignmentExpression') value = value.right;
      value = resolveName(body, value);
      const path = pathOf(node.left);
      if (path === 'module.exports') found.standard = value;
      else if (/^(module\.)?exports\.handler$/.test(path)) found.handler = value;
      else if (/^(module\.)?exports\.default$/.test(path)) found.standard = value;
      else if (/^(module\.)?exports\.fetch$/.test(path))
        found.standard = { type: 'ObjectExpression', properties: [{ key: { name: 'fetch' }, value }] };
    }
  }
  return found;
}

function pathOf(node) {
  if (node.type === 'Identifier') return node.name;
  if (node.type !== 'MemberExpression') return '';
  return `${pathOf(node.object)}.${node.computed ? (node.property.value ?? '') : node.property.name}`;
}

/** Whether a default function takes a Request: by its type, or by the parameter's name when it is the only one. */
function takesRequest(node, text) {
  const [first] = node.params;
  if (first === undefined) return false;
  const target = first.type === 'AssignmentPattern' ? first.left : first;
  if (/^\s*\??\s*:\s*(globalThis\s*\.\s*)?Request\b/.test(text.slice(target.end))) return true;
  return node.params.length === 1 && target.type === 'Identifier' && REQUEST_NAMES.has(target.name);
}

/** Whether the function calls one of these methods of its second parameter. */
function callsOfContext(node, names) {
  const context = node.params[1]?.name;
  const pending = context === undefined ? [] : [node.body];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const { callee } = at;
    if (at.type === 'CallExpression' && callee.object?.name === context && names.has(callee.property?.name)) return true;
    for (const child of Object.values(at).flat()) if (typeof child?.type === 'string') pending.push(child);
  }
  return false;
}

/** How a function of OpenFaaS' Node.js templates answers. */
const FAAS_CALLS = new Set(['status', 'headers', 'succeed', 'fail']);
const isFaas = (node) => isFunction(node) && node.params.length >= 2 && callsOfContext(node, FAAS_CALLS);

/** What a file that only defines something may have at its top level; one that does something besides is a script. */
const DEFINITIONS = /^((Import|Variable|Function|Class)Declaration|ExportNamedDeclaration)$/;
const assigns = ({ expression, directive }) => directive !== undefined || /^(module|exports|global|globalThis)\b/.test(pathOf(expression.left ?? {}));

/** OpenWhisk's `main(args)`: exported, or just defined where the file does nothing else. */
function whiskMain(body, standard) {
  if (!body.every((one) => DEFINITIONS.test(one.type) || (one.type === 'ExpressionStatement' && assigns(one)))) return undefined;
  const exported = body.find(({ expression }) => /^(module\.)?exports\.main$/.test(pathOf(expression?.left ?? {})))?.expression.right;
  const main = resolveName(body, memberOf(standard, 'main') ?? exported ?? { type: 'Identifier', name: 'main' });
  return isFunction(main) && main.params.length === 1 ? main : undefined;
}

/** What is known without the parser, should V8 understand syntax that it doesn't. */
function guess(format, script) {
  const exports = format === 'module' ? /^\s*export\b/m : /^\s*(module\.)?exports\b/m;
  return { format, style: exports.test(script) ? 'handler' : 'script', web: false, asynchronous: true };
}

function describe({ format, script }, text) {
  let body;
  try {
    ({ body } = parse(script, options(format)));
  } catch {
    return guess(format, script);
  }
  const { handler, standard } = format === 'module' ? moduleExports(body) : commonJsExports(body);
  const named = handler ?? resolveName(body, memberOf(standard, 'handler'));
  if (named !== undefined) return { format, style: 'handler', web: false, asynchronous: isFunction(named) ? named.async === true : true };
  const main = isFunction(standard) || memberOf(standard, 'fetch') ? undefined : whiskMain(body, standard);
  if (main !== undefined) return { format, style: 'handler', web: false, asynchronous: main.async === true, shape: 'openwhisk' };
  if (standard === undefined) return { format, style: 'script', web: false, asynchronous: false };
  if (isFaas(standard)) return { format, style: 'handler', web: false, asynchronous: true, shape: 'openfaas' };
  if (!isFunction(standard)) return { format, style: 'handler', web: memberOf(standard, 'fetch') !== undefined, asynchronous: true };
  const web = takesRequest(standard, text);
  return { format, style: 'handler', web, asynchronous: web || standard.async === true };
}

const [, , file, output, language = 'any', format = 'any'] = process.argv;
const text = readFileSync(file, 'utf8');
const found = read(text, { language, format });
if (found.typescript && output !== undefined) writeFileSync(output, found.script);
const said =
  found.error === undefined
    ? { ...describe(found, text), typescript: found.typescript }
    : { error: { message: String(found.error.message), line: found.line } };
process.stdout.write(`${JSON.stringify(said)}\n`);
