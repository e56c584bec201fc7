/** Printable ASCII that may stand in a path as it is (RFC 3986 §3.3), and %. */
const USUAL = /^[!$%&'()*+,\-./0-9:;=@A-Z_a-z~]*$/;
/** A segment of one or two dots, also between encoded slashes and backslashes, which some proxies take for slashes when they look for dot segments. */
const DOT_SEGMENT = /(?:\/|%2F|%5C)\.{1,2}(?:\/|%2F|%5C|$)/i;

/**
 * One spelling for every path, so that routing and whatever decides on paths see the same (RFC 3986 §6.2.2): percent-encoded unreserved characters
 * are decoded, hexadecimal digits are capitals, characters that no path may hold unencoded are encoded. What is encoded twice is decoded never: `%252e` stays.
 * An encoded slash is a character of its segment, no slash. Dot segments are refused rather than resolved: proxies in front disagree about them, as about
 * the backslash, which some take for a slash.
 * @returns undefined when the path has a dot segment, a backslash, a fragment, a NUL, a raw control character, or a broken percent-encoding
 */
export function canonicalPath(path: string): string | undefined {
  const usual = USUAL.test(path);
  const encoded = path.includes('%');
  if (usual && !encoded && !path.includes('/.')) return path;
  const clean = usual ? path : encodeUnusual(path);
  if (clean === undefined) return undefined;
  const decoded = encoded ? decodeUnreserved(clean) : clean;
  if (decoded === undefined || DOT_SEGMENT.test(decoded)) return undefined;
  return decoded;
}

/** Encodes what browsers and others send as it is: `"<>^`{|}` and brackets. */
function encodeUnusual(path: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: everything outside of printable ASCII is refused
  if (/[\u0000-\u0020\u007f-\uffff\\#?]/.test(path)) return undefined;
  return path.replace(/[^!$%&'()*+,\-./0-9:;=@A-Z_a-z~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function decodeUnreserved(path: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(path) || path.includes('%00')) return undefined;
  return path.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : triplet.toUpperCase();
  });
}
