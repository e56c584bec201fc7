// Reads the report of Vitest's JSON reporter and prints `passed failed skipped`.
// Usage: count-vitest.js <report> <exit code of Vitest>
import { readFileSync } from 'node:fs';

const [reportFile, exitCode] = process.argv.slice(2);

function count() {
  let report;
  try {
    report = JSON.parse(readFileSync(reportFile, 'utf8'));
  } catch {
    return [0, 1, 0]; // It ended before it could report.
  }
  // A file that can't even be loaded fails without a test of its own.
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = report.numFailedTests + brokenFiles.length;
  // Errors outside any test (an unhandled rejection, a leak) show in the exit code alone.
  const elsewhere = exitCode !== '0' && failed === 0 ? 1 : 0;
  return [report.numPassedTests, failed + elsewhere, report.numPendingTests + report.numTodoTests];
}

process.stdout.write(`${count().join(' ')}\n`);
