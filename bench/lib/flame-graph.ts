/** Stacks, outermost frame first and joined by `;`, and how often each was seen: the folded format of Gregg's tools. */
export type Folded = ReadonlyMap<string, number>;

interface Frame {
  name: string;
  samples: number;
  children: Map<string, Frame>;
}

const WIDTH = 1200;
const ROW = 17;
const TOP = 44;
/** Narrower frames are left out, with what they call. In units of the picture. */
const NARROWEST = 1.2;
const CHARACTER = 6.6;

/**
 * A flame graph (Gregg, "The Flame Graph", CACM 59(6), 2016): callers below, called above, as wide as they were seen often. One static SVG, whose frames tell name
 * and share when pointed at.
 */
export function flameGraph(title: string, folded: Folded): string {
  const root = merge(folded);
  const scale = WIDTH / root.samples;
  const rows = depth(root, scale);
  const height = TOP + rows * ROW + 8;
  const shapes: string[] = [];
  draw(root, 0, 0);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="11">`,
    `<title>${escapeXml(title)}</title>`,
    '<style>.k{fill:#f2a65a}.j{fill:#8fc98b}.p{fill:#8db4e2}.n{fill:#e9d780}g:hover rect{stroke:#333}</style>',
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="8" y="16" font-size="14">${escapeXml(title)}</text>`,
    `<text x="8" y="33">${root.samples} samples. Orange: kernel, green: JavaScript, blue: Python’s interpreter, yellow: other native code.</text>`,
    ...shapes,
    '</svg>\n',
  ].join('\n');

  function draw(frame: Frame, x: number, row: number): void {
    const width = frame.samples * scale;
    if (width < NARROWEST) return;
    const y = height - 8 - (row + 1) * ROW;
    const share = ((frame.samples / root.samples) * 100).toFixed(1);
    const room = Math.floor((width - 4) / CHARACTER);
    const text = frame.name.length <= room ? frame.name : room > 3 ? `${frame.name.slice(0, room - 1)}…` : '';
    const label = text === '' ? '' : `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escapeXml(text)}</text>`;
    const box = `<rect class="${kind(frame.name)}" x="${x.toFixed(1)}" y="${y}" width="${(width - 0.3).toFixed(1)}" height="${ROW - 1}"/>`;
    shapes.push(`<g><title>${escapeXml(frame.name)}: ${share} %</title>${box}${label}</g>`);
    let at = x;
    for (const child of [...frame.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      draw(child, at, row + 1);
      at += child.samples * scale;
    }
  }
}

function merge(folded: Folded): Frame {
  const root: Frame = { name: 'all', samples: 0, children: new Map() };
  for (const [stack, samples] of folded) {
    let frame = root;
    frame.samples += samples;
    for (const name of stack.split(';')) {
      let next = frame.children.get(name);
      if (!next) {
        next = { name, samples: 0, children: new Map() };
        frame.children.set(name, next);
      }
      next.samples += samples;
      frame = next;
    }
  }
  return root;
}

function depth(frame: Frame, scale: number): number {
  if (frame.samples * scale < NARROWEST) return 0;
  return 1 + Math.max(0, ...[...frame.children.values()].map((child) => depth(child, scale)));
}

/** By the marks that lib/perf.ts leaves behind names. */
function kind(name: string): string {
  if (name.endsWith('_[k]')) return 'k';
  if (name.endsWith('_[j]')) return 'j';
  if (name.endsWith('_[p]')) return 'p';
  return 'n';
}

function escapeXml(text: string): string {
  return text
    .replace(/_\[[kjp]\]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}
