import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HearthError } from '../errors.ts';
import { normaliseRequirements } from './requirements.ts';

function refusal(text: string): HearthError {
  try {
    const normalised = normaliseRequirements(text);
    throw new Error(`it was let through as ${JSON.stringify(normalised)}`);
  } catch (error) {
    expect(error).toBeInstanceOf(HearthError);
    return error as HearthError;
  }
}

describe('normalising', () => {
  test('drops comments, blank lines, trailing space, line endings and a byte order mark', () => {
    const untidy = '\uFEFF# the libraries – all of them\r\n\r\npika>=1.3,<2   \r\n  requests  # for the API\r\n\t\r\n';
    expect(normaliseRequirements(untidy)).toBe('pika>=1.3,<2\nrequests\n');
  });

  test('keeps the order', () => {
    expect(normaliseRequirements('b\na')).toBe('b\na\n');
  });

  test('joins continued lines as pip does', () => {
    expect(normaliseRequirements('pika \\\n  >=1.3 \\\n  # why\nrequests')).toBe('pika >=1.3\nrequests\n');
  });

  test('keeps a hash sign that is part of a URL', () => {
    expect(normaliseRequirements('a @ https://example.org/a.zip#sha256=00')).toBe('a @ https://example.org/a.zip#sha256=00\n');
  });

  test('nothing but comments is nothing', () => {
    expect(normaliseRequirements('# nothing\n\n   # yet\n')).toBe('');
  });

  test('normalising twice changes nothing more', () => {
    const line = fc.constantFrom('pika>=1.3', 'requests[socks] ; python_version > "3.9"', '# no', '', '  redis  # yes', '--pre', 'a\\', '>=2');
    fc.assert(
      fc.property(fc.array(line), fc.constantFrom('\n', '\r\n'), (lines, ending) => {
        let once: string;
        try {
          once = normaliseRequirements(lines.join(ending));
        } catch {
          return;
        }
        expect(normaliseRequirements(once)).toBe(once);
      }),
    );
  });
});

test.each([
  'pika',
  'pika==1.3.2',
  'zope.interface~=6.0',
  'requests[security, socks] >= 2.8.1, == 2.8.* ; python_version < "3.15"',
  'colorama; sys_platform == "win32"',
  `pika==1.3.2 --hash=sha256:${'0'.repeat(64)} --hash=sha512:${'a'.repeat(128)}`,
  'a @ https://example.org/a-1.0-py3-none-any.whl',
  'a[x] @ https://example.org/a.zip ; python_version > "3.8"',
  'https://example.org/a-1.0-py3-none-any.whl',
  '--index-url https://index.example.org/simple',
  '-i https://index.example.org/simple --extra-index-url=https://other.example.org/simple',
  '--find-links https://example.org/wheels',
  '--only-binary :all:',
  '--no-binary=pika',
  '--pre',
  '--require-hashes',
])('allows %s', (line) => {
  expect(normaliseRequirements(line)).toBe(`${line}\n`);
});

test.each([
  ['-r other.txt', /includes another file/],
  ['-rother.txt', /includes another file/],
  ['--requirement=/etc/passwd', /includes another file/],
  ['-c constraints.txt', /includes another file/],
  ['-e .', /editable/],
  ['--editable=git+https://example.org/x', /editable/],
  ['--find-links file:///srv/wheels', /no https URL/],
  ['--find-links /srv/wheels', /no https URL/],
  ['-f ./wheels', /no https URL/],
  ['--index-url http://index.example.org/simple', /no https URL/],
  ['--index-url', /no https URL/],
  ['--extra-index-url=https://a.example.org "--config-settings=x"', /uses "--config-settings/],
  ['--trusted-host example.org', /uses --trusted-host/],
  ['--config-settings a=b', /uses --config-settings/],
  ['--pre=yes', /takes none/],
  ['--only-binary /x', /no usable value/],
  ['pika --config-settings=x=y', /after the requirement/],
  ['pika --global-option="--x"', /after the requirement/],
  [`pika --hash=sha256:00 "--config-settings=x"`, /after the requirement/],
  ['pika --hash=md5:00', /after the requirement/],
  ['pika -r other.txt', /after the requirement/],
  ['./local', /is a path/],
  ['../local', /is a path/],
  ['/srv/pika', /is a path/],
  ['~/pika', /is a path/],
  ['local/pika', /is a path/],
  ['pika-1.3.2-py3-none-any.whl', /is a file name/],
  ['pika.tar.gz', /is a file name/],
  ['file:///srv/pika', /not https/],
  ['FILE:///srv/pika', /not https/],
  ['pika @ file:///srv/pika', /not https/],
  ['pika@file:///srv/pika', /not https/],
  ['pika[x] @ file:///srv/pika', /not https/],
  ['pika @ /srv/pika', /not https/],
  ['pika @ http://example.org/pika.zip', /not https/],
  ['git+https://example.org/pika', /version control/],
  ['pika @ git+ssh://git@example.org/pika', /version control/],
  ['pika @ https://example.org/a.whl --config-settings=x', /after the requirement/],
  ['--index-url https://example.org/$' + '{PIP_INDEX_URL}', /environment variable/],
  ['pika\u2028-r /etc/passwd', /printable ASCII/],
  ['pika\f-r /etc/passwd', /printable ASCII/],
  ['pika\u0000', /printable ASCII/],
  ['pi\\ka', /backslash/],
  ['=1.0', /neither/],
  ['pika | cat', /no valid requirement/],
])('refuses %j', (line, why) => {
  const error = refusal(`requests\n\n# a comment\n${line}\nredis`);
  expect(error.code).toBe('layer_build_failed');
  expect(error.message).toMatch(why);
  expect(error.message).toContain('Line 4 of the requirements');
  expect(error.extra).toEqual({ line: 4 });
});

test('an option can not be smuggled in by a continued line', () => {
  expect(refusal('pika \\\n--config-settings=x').message).toMatch(/^Line 1 .*after the requirement/);
  expect(refusal('pika\n-\\\nr /etc/passwd').message).toMatch(/^Line 2 .*includes another file/);
});

test('a text that is too long is refused', () => {
  expect(refusal('pika\n'.repeat(20_000)).message).toMatch(/100000 characters/);
});
