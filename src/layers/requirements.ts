import { HearthError } from '../errors.ts';

/** Most characters of a requirements text. */
const MAX_REQUIREMENTS_CHARS = 64 * 1024;

// pip takes a name with one of these endings for a file beside the requirements.
const ARCHIVE = /\.(whl|zip|tgz|tar|tbz|txz|tlz|tar\.(gz|bz2|xz|lz|lzma))$/i;
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/;
const HTTPS_URL = /^https:\/\/[^\s'"]+$/i;
const HASH = /^--hash=(?:sha256|sha384|sha512):[0-9a-f]+$/i;
const PACKAGE_LIST = /^[A-Za-z0-9:,._-]+$/;

/** Options that may stand on a line of their own, and what their value has to look like (null: they take none). */
const OPTIONS: Readonly<Record<string, RegExp | null>> = {
  '-i': HTTPS_URL,
  '--index-url': HTTPS_URL,
  '--extra-index-url': HTTPS_URL,
  '-f': HTTPS_URL,
  '--find-links': HTTPS_URL,
  '--only-binary': PACKAGE_LIST,
  '--no-binary': PACKAGE_LIST,
  '--pre': null,
  '--prefer-binary': null,
  '--require-hashes': null,
};

/**
 * The requirements as pip gets them, and as they are hashed: no comments, no blank lines, no continued lines, single spaces, order kept.
 * What this lets through reads nothing on the machine that builds it and runs no command of the text's choice. pip gets the result and not the
 * original, so that both read the same lines: pip splits at more characters than `\n` and expands `${NAME}`, and neither survives this.
 * @throws HearthError layer_build_failed, naming the line (`extra.line`, from 1)
 */
export function normaliseRequirements(text: string): string {
  if (text.length > MAX_REQUIREMENTS_CHARS) {
    throw new HearthError('layer_build_failed', `The requirements have ${text.length} characters; at most ${MAX_REQUIREMENTS_CHARS} are allowed.`);
  }
  return logicalLines(text)
    .map(({ number, line }) => {
      const refusal = refuse(line);
      if (refusal !== undefined) {
        throw new HearthError('layer_build_failed', `Line ${number} of the requirements, \`${shorten(line)}\`, ${refusal}`, {
          extra: { line: number },
        });
      }
      return `${line}\n`;
    })
    .join('');
}

interface LogicalLine {
  /** Of its first part, from 1. */
  number: number;
  line: string;
}

function logicalLines(text: string): LogicalLine[] {
  const result: LogicalLine[] = [];
  let number = 0;
  let pending: LogicalLine | undefined;
  for (const raw of text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)) {
    number += 1;
    const current: LogicalLine = pending ?? { number, line: '' };
    // A comment takes its backslash with it: it continues nothing.
    const isComment = /^\s*#/.test(raw);
    const continued = !isComment && raw.trimEnd().endsWith('\\');
    current.line += continued ? raw.trimEnd().slice(0, -1) : isComment ? '' : raw;
    pending = continued ? current : undefined;
    if (!continued) result.push(current);
  }
  if (pending !== undefined) result.push(pending);
  return result
    .map(({ number, line }) => ({
      number,
      line: line
        .replace(/(^|\s+)#.*$/s, '')
        .replace(/[ \t]+/g, ' ')
        .trim(),
    }))
    .filter(({ line }) => line !== '');
}

/** Why a line is not allowed, as the end of a sentence; undefined when it is. */
function refuse(line: string): string | undefined {
  if (!/^[\x20-\x7e]*$/.test(line)) return 'has characters other than printable ASCII.';
  if (line.includes('\\')) return 'has a backslash inside; only one at the end, to continue the line, is allowed.';
  if (line.includes('${')) return 'names an environment variable; those of the platform are not for layers.';
  const tokens = line.split(' ');
  return line.startsWith('-') ? refuseOptions(tokens) : refuseRequirement(tokens);
}

function refuseOptions(tokens: readonly string[]): string | undefined {
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at] ?? '';
    const equals = token.startsWith('--') ? token.indexOf('=') : -1;
    const option = equals === -1 ? token : token.slice(0, equals);
    const expected = Object.hasOwn(OPTIONS, option) ? OPTIONS[option] : undefined;
    if (expected === undefined) return refuseOption(option);
    if (expected === null) {
      if (equals !== -1) return `gives ${option} a value; it takes none.`;
      continue;
    }
    if (equals === -1) at += 1;
    const value = equals === -1 ? tokens[at] : token.slice(equals + 1);
    if (value === undefined || !expected.test(value)) {
      return expected === HTTPS_URL
        ? `gives ${option} something that is no https URL; a layer installs from https only.`
        : `gives ${option} no usable value.`;
    }
  }
  return undefined;
}

function refuseOption(option: string): string {
  if (/^(-r|--requirement|-c|--constraint)/.test(option)) return 'includes another file; a layer has this one text only: put its lines here.';
  if (/^(-e|--editable)/.test(option)) return 'asks for an editable install; a layer can only hold released packages.';
  return `uses ${shorten(option)}, which layers do not allow; ${Object.keys(OPTIONS).join(', ')} and --hash are allowed.`;
}

function refuseRequirement(tokens: readonly string[]): string | undefined {
  const firstOption = tokens.findIndex((token) => token.startsWith('-'));
  const options = firstOption === -1 ? [] : tokens.slice(firstOption);
  const requirement = (firstOption === -1 ? tokens : tokens.slice(0, firstOption)).join(' ');
  // pip reads these like a shell does, so a quote could hide another option: nothing but well-formed hashes may stand here.
  const bad = options.find((option) => !HASH.test(option));
  if (bad !== undefined) return `has \`${shorten(bad)}\` after the requirement; only --hash=sha256:… (or sha384, sha512) may stand there.`;

  if (/^(?:https?|file|ftp|s3):/i.test(requirement)) return refuseUrl(requirement);
  if (/^(?:git|hg|svn|bzr)\+/i.test(requirement)) return refuseUrl(requirement);
  if (/^[./~]/.test(requirement)) return 'is a path; a layer can not read files: name a package, or give an https URL.';
  const name = NAME.exec(requirement)?.[0];
  if (name === undefined) return 'is neither a requirement nor an option.';
  const rest = requirement
    .slice(name.length)
    .replace(/^ ?\[[A-Za-z0-9,._ -]*\]/, '')
    .trimStart();
  if (rest.startsWith('@')) return refuseUrl(rest.slice(1).trimStart());
  const specifier = rest.split(';', 1)[0] ?? '';
  if (!/^[A-Za-z0-9.*+!_~<>=,() -]*$/.test(specifier)) {
    return specifier.includes('/') ? 'is a path; a layer can not read files: name a package, or give an https URL.' : 'is no valid requirement.';
  }
  if (specifier === '' && ARCHIVE.test(name)) return 'is a file name; a layer can not read files: name a package, or give an https URL.';
  return undefined;
}

function refuseUrl(text: string): string | undefined {
  const [url = ''] = text.split(' ', 1);
  if (/^(?:git|hg|svn|bzr)\+/i.test(url)) {
    return 'names a version control repository; there is no git where layers are built: give the https URL of an archive or a wheel.';
  }
  if (!HTTPS_URL.test(url)) return 'names a URL that is not https; a layer installs from https only.';
  const rest = text.slice(url.length).trimStart();
  return rest === '' || rest.startsWith(';') ? undefined : 'has something other than a marker after its URL.';
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
