/** W3C Trace Context, as it came: `traceparent` and `tracestate` of a list of names and values in turn. */
export function traceHeaders(headers: readonly string[]): string[] {
  return headers.flatMap((name, index) =>
    index % 2 === 0 && /^trace(parent|state)$/i.test(name) && headers[index + 1] !== undefined ? [name, headers[index + 1] as string] : [],
  );
}

/** The same by name, in lower case. */
export function traceRecord(headers: readonly string[]): Record<string, string> {
  const given = traceHeaders(headers);
  return Object.fromEntries(given.flatMap((name, index) => (index % 2 === 0 ? [[name.toLowerCase(), given[index + 1] as string]] : [])));
}
