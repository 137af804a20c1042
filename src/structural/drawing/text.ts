/** What XML has no place for: control characters but tabs and ends of lines, and halves of surrogate pairs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]|\p{Surrogate}/gu;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for XML, in elements and in quoted attributes; U+FFFD stands for what XML cannot hold. */
export const escapeXml = (text: string): string =>
  text.replace(FORBIDDEN, '\ufffd').replace(/[&<>"']/g, (char) => ENTITIES[char]!);

/** Width of a character in a sans-serif face, as a share of its size; on the safe side. */
function charWidth(char: string): number {
  if (/[ijl.,:;|'!()[\]/ft\-·]/.test(char)) return 0.36;
  if (/[mwMW@%→…]/.test(char)) return 0.92;
  if (char === '×') return 0.84;
  if (/[A-Z_]/.test(char)) return 0.7;
  return char.codePointAt(0)! < 0x2e80 ? 0.63 : 1;
}

/** About how wide text is drawn, in pixels; bold text is a tenth wider. */
export function textWidth(text: string, size: number): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width * size;
}

/** Text that is at most `width` wide: its middle is left out where it is longer, as both ends of a layer's path tell something. */
export function fitted(text: string, size: number, width: number): string {
  if (textWidth(text, size) <= width) return text;
  const chars = [...text];
  for (let keep = chars.length - 1; keep > 1; keep--) {
    const head = Math.ceil(keep / 2);
    const short = `${chars.slice(0, head).join('')}…${chars.slice(chars.length - (keep - head)).join('')}`;
    if (textWidth(short, size) <= width) return short;
  }
  return '…';
}

/** Text in lines of at most that width, broken at spaces; what does not fit into `count` lines is left out of the last one. */
export function wrapped(text: string, size: number, width: number, count: number): string[] {
  const lines: string[] = [];
  let line = '';
  const words = text.split(' ');
  for (const [index, word] of words.entries()) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (textWidth(longer, size) <= width) {
      line = longer;
      continue;
    }
    if (lines.length === count - 1) {
      line = [line, ...words.slice(index)].join(' ').trim();
      break;
    }
    if (line !== '') lines.push(line);
    line = word;
  }
  return [...lines, line].map((each) => fitted(each, size, width));
}
