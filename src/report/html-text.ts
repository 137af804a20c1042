const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Control characters, which HTML forbids, and halves of surrogate pairs, which UTF-8 cannot hold. Tabs and ends of lines may stay. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]|\p{Surrogate}/gu;

/** Text without what HTML cannot hold; U+FFFD stands in its place. */
export const cleanText = (text: string): string => text.replace(FORBIDDEN, '\ufffd');

/** Text for HTML, in elements and in quoted attributes. */
export const escapeHtml = (text: string): string =>
  cleanText(text).replace(/[&<>"']/g, (char) => ENTITIES[char]!);

/** JSON for a script element: without `<`, no text of it can end the element or open a comment. */
export const escapeScript = (json: string): string => json.replaceAll('<', '\\u003c');

/** Paragraphs of plain text, parted by empty lines; what stands in backticks is set as code. */
export function paragraphs(text: string): string {
  return text
    .split(/\n[ \t]*\n/)
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => `<p>${escapeHtml(part).replace(/`([^`]+)`/g, '<code>$1</code>')}</p>`)
    .join('\n');
}
