const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'is it installed?',
  EACCES: 'may the platform run it?',
  EAGAIN: 'out of processes: raise ulimit -u or the pids limit of the service',
  EMFILE: 'out of open files: raise ulimit -n',
  ENFILE: 'the machine is out of open files: raise fs.file-max',
  ENOMEM: 'out of memory',
};

/** What kept a process from starting, with what to do about it where we know. */
export function describeSpawnError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const advice = 'code' in error && typeof error.code === 'string' ? ADVICE[error.code] : undefined;
  return advice === undefined ? error.message : `${error.message} (${advice})`;
}
