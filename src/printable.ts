/** C0 but tab and line feed, DEL, C1, and what turns the direction of text around (Unicode Standard Annex #9): a terminal or its reader would take orders from them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const ORDERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text of others, for a terminal: what would act on it is shown instead, as `\u001b`. */
export function printable(text: string): string {
  return text.replace(ORDERS, escaped);
}

/**
 * The same for a line of JSON whose strings are going to be printed as text: escapes in it are escaped once more. Line feeds and tabs stay, in the
 * stacks of errors for example.
 */
export function printableJson(line: string): string {
  // Pairs are taken together, so that the backslash of an escaped backslash is not taken for another's.
  const told = line.replace(/\\(?:u[0-9a-f]{4}|[\s\S])/gi, (pair) => {
    const character = JSON.parse(`"${pair}"`) as string;
    return character === '\\' || printable(character) === character ? pair : `\\${escaped(character)}`;
  });
  return told.replace(ORDERS, (character) => `\\${escaped(character)}`);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
