/**
 * One spelling for every path, so that routing and whatever decides on paths see the same (RFC 3986 §6.2.2): percent-encoded unreserved characters
 * are decoded, hexadecimal digits are capitals. Dot segments are refused rather than resolved: proxies in front disagree about them.
 * @returns undefined when the path has a dot segment, a NUL, or a broken percent-encoding
 */
export function canonicalPath(path: string): string | undefined {
  const encoded = path.includes('%');
  if (!encoded && !path.includes('/.')) return path;
  const decoded = encoded ? decodeUnreserved(path) : path;
  if (decoded === undefined || /\/\.{1,2}(\/|$)/.test(decoded)) return undefined;
  return decoded;
}

function decodeUnreserved(path: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(path) || path.includes('%00')) return undefined;
  return path.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : triplet.toUpperCase();
  });
}
