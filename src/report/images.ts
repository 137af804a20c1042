import { ArgumentError } from '../core/errors.ts';
import type { Drawn } from './figure.ts';
import { escapeHtml } from './html-text.ts';
import type { ImageRow } from './report.ts';

/** An image of a report has no more bytes than this: a page of a dozen still opens at once. */
export const MOST_IMAGE_BYTES = 2_000_000;

/** First bytes of the formats that every browser shows; those of WebP stand behind the size of the file. */
const SIGNATURES = [
  { type: 'image/png', offset: 0, bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] },
  { type: 'image/jpeg', offset: 0, bytes: [0xff, 0xd8, 0xff] },
  { type: 'image/webp', offset: 8, bytes: [0x57, 0x45, 0x42, 0x50] },
] as const;

/** Bytes that are turned into text at once: functions take so many arguments at most. */
const AT_ONCE = 8192;

/** The bytes of a PNG, JPEG or WebP file as a data URI. Throws ArgumentError for another format and for more than 2 MB. */
export function imageSource(file: Uint8Array): string {
  const known = SIGNATURES.find(({ offset, bytes }) =>
    bytes.every((byte, index) => file[offset + index] === byte),
  );
  if (known === undefined) {
    throw new ArgumentError('imageSource: expected the bytes of a PNG, JPEG or WebP file, got others');
  }
  if (file.length > MOST_IMAGE_BYTES) {
    throw new ArgumentError(
      `imageSource: an image of a report may have ${MOST_IMAGE_BYTES} bytes, got ${file.length}; make it smaller`,
    );
  }
  let text = '';
  for (let start = 0; start < file.length; start += AT_ONCE) {
    text += String.fromCharCode(...file.subarray(start, start + AT_ONCE));
  }
  return `data:${known.type};base64,${btoa(text)}`;
}

/** Is it what `imageSource` gives? Nothing else can then stand in the attribute of a page. */
export const isImageSource = (text: string): boolean =>
  text.length <= Math.ceil(MOST_IMAGE_BYTES / 3) * 4 + 40 &&
  /^data:image\/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}$/.test(text);

/** Draws images side by side, each with its label, as large as there is room; below each other on small screens. */
export function drawImages({ images, width = 'full' }: ImageRow): Drawn {
  const drawn = images.map(
    ({ label, alt, source, width: across, height }) =>
      `<div><img src="${source}" width="${across}" height="${height}" alt="${escapeHtml(alt)}"/><span>${escapeHtml(label)}</span></div>`,
  );
  return { body: `<div class="images">${drawn.join('')}</div>`, legend: '', notes: [], width };
}
