import { expect, test } from 'vitest';
import { explainNpm } from './explain-npm.ts';

test.each([
  [
    'a version that is not there',
    "npm error code ETARGET\nnpm error notarget No matching version found for ms@^99.1.3.\nnpm error notarget In most cases you or one of your dependencies are requesting a package version that doesn't exist.\nnpm error A complete log of this run can be found in: /build/npm-cache/_logs/debug-0.log\n",
    'ETARGET: No matching version found for ms@^99.1.3.',
  ],
  [
    'a package that is not there',
    "npm error code E404\nnpm error 404 Not Found - GET https://registry/nope - Not found\nnpm error 404\nnpm error 404  'nope@1' is not in this registry.\n",
    'E404: Not Found - GET https://registry/nope - Not found',
  ],
  [
    'a lock file that does not fit',
    'npm error code EUSAGE\nnpm error\nnpm error `npm ci` can only install packages when your package.json and package-lock.json are in sync.\nnpm error\nnpm error Missing: ms@2.1.3 from lock file\n',
    'package_lock does not fit package_json (Missing: ms@2.1.3 from lock file); make it anew with npm install',
  ],
  [
    'no network',
    'npm error code ENOTFOUND\nnpm error syscall getaddrinfo\nnpm error errno ENOTFOUND\nnpm error network request to https://registry/ms failed, reason: getaddrinfo ENOTFOUND registry\n',
    'ENOTFOUND: network request to https://registry/ms failed, reason: getaddrinfo ENOTFOUND registry; the package registry could not be reached',
  ],
  ['a full disk', 'npm error code ENOSPC\nnpm error syscall write\n', 'the disk of the platform is full; free some space and try again'],
  ['nothing', '', ''],
])('%s', (_, output, explained) => {
  expect(explainNpm(output)).toBe(explained);
});
