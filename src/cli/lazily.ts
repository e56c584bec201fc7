/** An action whose code is loaded when its command is run: no command pays for the others. */
export function lazily<Parameters extends unknown[]>(
  load: () => Promise<(...parameters: Parameters) => unknown>,
): (...parameters: Parameters) => Promise<void> {
  return async (...parameters) => {
    await (await load())(...parameters);
  };
}
