/** Text for a cell: one line, and no bar that would end it. */
function cell(text) {
  return String(text ?? '')
    .replace(/\s+/g, ' ')
    .replaceAll('|', '\\|')
    .trim();
}

/** @returns a table, or nothing when it has no rows */
export function table(heading, rows) {
  if (rows.length === 0) return '';
  const line = (cells) => `| ${cells.map(cell).join(' | ')} |\n`;
  return `${line(heading)}| ${heading.map(() => '---').join(' | ')} |\n${rows.map(line).join('')}`;
}

export function code(text, language = '') {
  return `\`\`\`${language}\n${text.replace(/\n*$/, '\n')}\`\`\`\n`;
}

/** Of a heading, as forges make them. */
export function anchor(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** A page that is made, and says from what. */
export function page(title, about, ...parts) {
  return [`<!-- Made by scripts/lib/write-reference.js; not to be edited. -->\n\n# ${title}\n`, `${about}\n`, ...parts]
    .filter((part) => part !== '')
    .join('\n')
    .replace(/\n{3,}/g, '\n\n');
}
