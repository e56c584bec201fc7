import { writeSync } from 'node:fs';

/** Before the function can put anything in its place. */
const reallyExit = process.reallyExit.bind(process);

/** Ends the process at once. */
export function leave(code) {
  reallyExit(code);
}

/** Ends the runtime with a line for the operator. */
export function fatal(message, code = 70) {
  try {
    writeSync(2, `hearth: ${message}\n`);
  } catch {
    // Nobody reads it.
  }
  leave(code);
}
