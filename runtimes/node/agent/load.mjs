// From source text to a module, without a file: ES modules by a hook of the loader, CommonJS as `require` compiles it. Of a bundle the entry is a file, which
// Node.js itself loads.

import Module, { createRequire, registerHooks, stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { entryPath, nameBroken } from './bundle.mjs';
import { FunctionError } from './errors.mjs';
import { adapt, tailOf } from './shapes.mjs';

const ENTRY = 'hearth:function';
const SDK_URL = new URL('hearth.mjs', import.meta.url).href;
/** Ours even where a layer has them too: only this copy has the platform behind it. */
const SDK = new Map([
  ['@hearth/sdk', SDK_URL],
  ['@hearth/sdk/testing', new URL('testing.mjs', import.meta.url).href],
]);
/** Where the libraries are that every function finds: node_modules beside the agent. */
const OWN_PARENT = new URL('index.mjs', import.meta.url).href;
const NOT_FOUND = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']);

/** Where the function's file is, or would be, and so where `node_modules` is looked for: in the first layer. */
function pathOf(load) {
  if (load.bundle !== undefined) return entryPath(load.bundle);
  const name = `${load.function}.${load.module?.format === 'commonjs' ? 'cjs' : 'mjs'}`;
  return join(load.layers[0] ?? '/function', name);
}

/**
 * Resolves bare names where Node.js does by itself (in the function's first layer, or in its bundle), then in other layers, then beside the agent; the SDK is
 * ours. The hooks stay: a function may import later.
 * @param layers those others @param entry {url, source} of an ES module that is no file; null: there is none @param loaded gets the URLs of files that are loaded
 */
export function addResolution(layers, entry, loaded = null) {
  const parents = [...layers.map((layer) => pathToFileURL(join(layer, 'index.mjs')).href), OWN_PARENT];
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === ENTRY && entry !== null) return { url: entry.url, format: 'module', shortCircuit: true };
      const own = SDK.get(specifier);
      if (own !== undefined) return { url: own, format: 'module', shortCircuit: true };
      try {
        return next(specifier, context);
      } catch (error) {
        if (!NOT_FOUND.has(error?.code) || !/^[^./#]/.test(specifier) || specifier.includes(':')) throw error;
        if (specifier === 'hearth') return { url: SDK_URL, format: 'module', shortCircuit: true };
        for (const parent of parents) {
          const found = resolveFrom(parent, specifier, context, next);
          if (found !== undefined) return found;
        }
        throw error;
      }
    },
    load(url, context, next) {
      if (entry !== null && url === entry.url) return { format: 'module', source: entry.source, shortCircuit: true };
      if (url.startsWith('file:')) loaded?.push(url);
      return next(url, context);
    },
  });
}

function resolveFrom(parent, specifier, context, next) {
  try {
    if (!context.conditions?.includes('require')) return next(specifier, { ...context, parentURL: parent });
    return { url: pathToFileURL(createRequire(parent).resolve(specifier)).href, shortCircuit: true };
  } catch {
    return undefined;
  }
}

/** JavaScript for the text, every line and column where it was. @throws FunctionError for what can't be stripped */
function javaScriptOf(load, text) {
  if (!load.module?.typescript) return text;
  try {
    return stripTypeScriptTypes(text, { mode: 'strip' });
  } catch (error) {
    throw new FunctionError('SyntaxError', String(error?.message ?? error));
  }
}

/** Runs the function's module. @returns what it exports: an ES module's namespace, or CommonJS's `module.exports` */
export async function loadModule(load, source) {
  const path = pathOf(load);
  const isCommonJs = load.module?.format === 'commonjs';
  process.argv[1] = path;
  if (load.bundle !== undefined) return loadFile(load, path, isCommonJs);
  const otherLayers = load.layers.slice(1);
  const text = new TextDecoder('utf-8', { fatal: true }).decode(source);
  const script = javaScriptOf(load, text) + tailOf(load.module ?? {});
  const url = pathToFileURL(path).href;
  if (isCommonJs) {
    addResolution(otherLayers, null);
    const module = new Module(path);
    module.filename = path;
    module.paths = Module._nodeModulePaths(dirname(path));
    process.mainModule = module;
    module._compile(script.replace(/^#!.*/, ''), path);
    module.loaded = true;
    return module.exports;
  }
  addResolution(otherLayers, { url, source: script });
  return import(ENTRY);
}

async function loadFile({ layers }, path, isCommonJs) {
  const loaded = [];
  addResolution(layers, null, loaded);
  try {
    return isCommonJs ? Module._load(path, null, true) : await import(pathToFileURL(path).href);
  } catch (error) {
    nameBroken(error, loaded);
    throw error;
  }
}

/** What a trace is to show for the place that the function's code has only for us, and for URLs of a bundle's files. */
export function shownPath(load) {
  if (load.bundle !== undefined) return { from: [pathToFileURL(load.bundle.folder).href], to: load.bundle.folder };
  const path = pathOf(load);
  return { from: [pathToFileURL(path).href, path], to: `/function/${load.function}.${path.endsWith('.cjs') ? 'cjs' : 'mjs'}` };
}

/** {call(message, context) or call(request, context), web}. @throws FunctionError when the module exports no function to call */
export function entryOf(load, exported) {
  const isCommonJs = load.module?.format === 'commonjs';
  const standard = isCommonJs ? (exported?.default ?? exported) : exported.default;
  const { shape } = load.module ?? {};
  if (shape !== undefined && load.streamBody)
    throw new FunctionError('TypeError', 'handlers of OpenFaaS and OpenWhisk take whole bodies: register it without stream_body');
  if (shape !== undefined) return { call: adapt(shape, shape === 'openwhisk' && isCommonJs ? exported.main : standard), web: false };
  if (typeof exported?.handler === 'function') return { call: exported.handler, web: false };
  if (typeof standard?.handler === 'function' && typeof standard !== 'function') return { call: standard.handler.bind(standard), web: false };
  if (typeof standard === 'object' && typeof standard?.fetch === 'function') return { call: standard.fetch.bind(standard), web: true };
  if (typeof standard === 'function') return { call: standard, web: load.module?.web === true };
  const names = Object.keys(exported ?? {});
  throw new FunctionError(
    'TypeError',
    `the code exports no function to call: \`handler\`, a default function, or a default object with \`fetch\`. It exports ${names.length > 0 ? names.join(', ') : 'nothing'}.`,
  );
}
