// The logger of a function: lines for the invocation's log, by way of standard error, which attributes them.

import { format } from 'node:util';

const LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR'];
/** As Python calls them, whose functions may share an environment with ours. */
const ALIASES = { WARNING: 'WARN', CRITICAL: 'ERROR', FATAL: 'ERROR' };

/** What the variable LOG_LEVEL says, which the function may set. */
function least() {
  const level = (process.env.LOG_LEVEL ?? '').toUpperCase();
  const found = LEVELS.indexOf(ALIASES[level] ?? level);
  return found < 0 ? LEVELS.indexOf('INFO') : found;
}

function writer(level) {
  return (...values) => {
    if (LEVELS.indexOf(level) >= least()) process.stderr.write(`${level} ${format(...values)}\n`);
  };
}

export const logger = Object.freeze({ debug: writer('DEBUG'), info: writer('INFO'), warn: writer('WARN'), error: writer('ERROR') });
