import { SaxesParser } from 'saxes';
import { FormatError } from '../../core/errors.ts';
import type { Box, ImageSize } from '../box.ts';
import type { AnnotatedImage, AnnotatedObject } from './annotated-image.ts';

/** Options of `parseVocAnnotation`. */
export interface ParseVocOptions {
  /**
   * Number of the first pixel of a row. Default 1, as Pascal VOC counts: a box from 1 to 1 is one pixel wide. With 0, as some tools write, coordinates are taken as
   * they are.
   */
  readonly origin?: 0 | 1;
}

/** Deeper and longer than any annotation; files are made by others. */
const DEEPEST = 32;
const LONGEST = 10_000_000;

const ROOT = 'annotation';
const OBJECT = `${ROOT}/object`;

/** Elements whose text is looked at, by their path. Boxes of an object's `part`s lie deeper and are none of these. */
const LEAVES: ReadonlySet<string> = new Set([
  `${ROOT}/filename`,
  `${ROOT}/size/width`,
  `${ROOT}/size/height`,
  `${OBJECT}/name`,
  `${OBJECT}/difficult`,
  ...['xmin', 'ymin', 'xmax', 'ymax'].map((corner) => `${OBJECT}/bndbox/${corner}`),
]);

/** Texts of the leaves of one element, by path. */
type Leaves = ReadonlyMap<string, string>;

/**
 * Reads an annotation in Pascal VOC's XML: name and size of an image, and its objects. Nothing but the predefined entities is expanded, and no other file is looked at.
 *
 * Throws FormatError where the text is no XML or longer than 10 million characters, is another kind of document, or an object has no name or no box of numbers.
 */
export function parseVocAnnotation(text: string, options: ParseVocOptions = {}): AnnotatedImage {
  const { image, objects } = leavesOf(text);
  return {
    fileName: image.get(`${ROOT}/filename`) || null,
    size: sizeOf(image),
    objects: objects.map((leaves, index) => objectOf(leaves, index + 1, options.origin ?? 1)),
  };
}

/** Reads through the document once; nothing of it is kept but the texts of `LEAVES`. */
function leavesOf(text: string): { readonly image: Leaves; readonly objects: readonly Leaves[] } {
  if (text.length > LONGEST) {
    throw new FormatError(
      'VOC annotation',
      `has ${text.length} characters; expected at most ${LONGEST} for one image`,
    );
  }
  const parser = new SaxesParser({ xmlns: false });
  const image = new Map<string, string>();
  const objects: Map<string, string>[] = [];
  const open: string[] = [];
  let leaf: string | null = null;
  let content = '';
  parser.on('error', (error) => {
    throw new FormatError('VOC annotation', `is no XML: line ${error.message}`, {}, { cause: error });
  });
  parser.on('opentag', ({ name }) => {
    if (open.length === 0 && name !== ROOT) {
      throw new FormatError(
        'VOC annotation',
        `expected the element <annotation>, got <${name.slice(0, 100)}>`,
      );
    }
    if (open.length === DEEPEST) {
      throw new FormatError('VOC annotation', `elements lie in each other more than ${DEEPEST} deep`);
    }
    open.push(name);
    const path = open.join('/');
    if (path === OBJECT) objects.push(new Map());
    if (!LEAVES.has(path)) return;
    leaf = path;
    content = '';
  });
  const append = (part: string): void => {
    if (leaf !== null) content += part;
  };
  parser.on('text', append);
  parser.on('cdata', append);
  parser.on('closetag', () => {
    if (open.join('/') === leaf) {
      const element = leaf.startsWith(`${OBJECT}/`) ? objects.at(-1)! : image;
      element.set(leaf, content.trim());
      leaf = null;
    }
    open.pop();
  });
  parser.write(text).close();
  return { image, objects };
}

function sizeOf(image: Leaves): ImageSize | null {
  const [height, width] = ['height', 'width'].map((side) => Number(image.get(`${ROOT}/size/${side}`)));
  // Some tools write zeros where they do not know.
  return height! > 0 && width! > 0 && Number.isFinite(height! * width!)
    ? { height: height!, width: width! }
    : null;
}

function objectOf(leaves: Leaves, number: number, origin: 0 | 1): AnnotatedObject {
  const name = leaves.get(`${OBJECT}/name`) ?? '';
  if (name === '') throw new FormatError('VOC annotation', `object ${number} has no <name>`);
  const [left, top, right, bottom] = ['xmin', 'ymin', 'xmax', 'ymax'].map((corner) => {
    const text = leaves.get(`${OBJECT}/bndbox/${corner}`) ?? '';
    const value = text === '' ? Number.NaN : Number(text);
    if (Number.isFinite(value)) return value;
    throw new FormatError(
      'VOC annotation',
      `object ${number} ('${name.slice(0, 100)}'): <${corner}> of <bndbox> is ${text === '' ? 'missing' : `'${text.slice(0, 100)}'`}; expected a number`,
    );
  }) as [number, number, number, number];
  const isDifficult = ['1', 'true'].includes((leaves.get(`${OBJECT}/difficult`) ?? '').toLowerCase());
  // Pixels count from 1, and the last belongs to the box: its right edge is where the next would begin.
  const box: Box = [left - origin, top - origin, right, bottom];
  return { name, box, mark: isDifficult ? 'difficult' : null };
}
