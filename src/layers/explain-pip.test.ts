import { expect, test } from 'vitest';
import { explainPip } from './explain-pip.ts';

test('takes the last error and leaves out warnings and notices after it', () => {
  const output = `Collecting requests
ERROR: Could not find a version that satisfies the requirement no-such>=1 (from versions: none)
ERROR: No matching distribution found for no-such>=1
WARNING: There was an error checking the latest version of pip.

[notice] A new release of pip is available: 23.2.1 -> 26.1
`;
  expect(explainPip(output)).toBe('No matching distribution found for no-such>=1 (while installing requests)');
});

test('says what pip was installing when the error does not', () => {
  const output = `Collecting six
Collecting broken==1.0 (from -r /input/requirements.txt (line 2))
  Preparing metadata (setup.py): finished with status 'error'
  error: subprocess-exited-with-error
  × python setup.py egg_info did not run successfully.
  note: This error originates from a subprocess, and is likely not a problem with pip.
error: metadata-generation-failed

× Encountered error while generating package metadata.
╰─> See above for output.

note: This is an issue with the package mentioned above, not pip.
hint: See above for details.
`;
  expect(explainPip(output)).toBe('Encountered error while generating package metadata. (while installing broken==1.0)');
});

test('does not repeat the name when the error has it', () => {
  const output = 'Collecting Broken>1\nERROR: Failed to build installable wheels for some pyproject.toml based projects (broken)\n';
  expect(explainPip(output)).toBe('Failed to build installable wheels for some pyproject.toml based projects (broken)');
});

test('a full disk is called that', () => {
  expect(explainPip('Collecting a\nERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n')).toMatch(
    /disk .* full/,
  );
});

test('an index that does not answer is told apart from a package that is not there', () => {
  const output = `WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)': /simple/pika/
ERROR: No matching distribution found for pika
`;
  expect(explainPip(output)).toBe('No matching distribution found for pika; the package index could not be reached');
});

test('the last line stands in for an error that pip did not mark', () => {
  expect(explainPip('\u001b[31mKilled\u001b[0m\r\n')).toBe('Killed');
});

test('no output explains nothing', () => {
  expect(explainPip('')).toBe('');
});
