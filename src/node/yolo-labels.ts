import { type ImageSize, type LabelledBox, unnormalized } from '../detect/index.ts';

/** Numbers of a line: class, centre x, y, width, height. */
const NUMBERS = 5;

/**
 * Reads a label file of YOLO: a line for each box, `class x y width height` in shares of the image; or, where a line is longer, a class and the corners of an outline, whose box is
 * taken. Lines that are there twice count once.
 *
 * @returns What is wrong, with the line, where something is: YOLOv5 leaves such an image out, and so should the caller.
 */
export function parseYoloLabels(
  text: string,
  image: ImageSize,
  classes: number,
): readonly LabelledBox[] | { readonly reason: string } {
  const lines = text
    .split(/\r\n|\r|\n/)
    .map((line, index) => ({ words: line.trim().split(/\s+/), number: index + 1 }))
    .filter(({ words }) => words[0] !== '');
  // One outline makes all of the file outlines, as in YOLOv5.
  const isOutlines = lines.some(({ words }) => words.length > NUMBERS + 1);
  const seen = new Set<string>();
  const boxes: LabelledBox[] = [];
  for (const { words, number } of lines) {
    const values = words.map(Number);
    const wrong = trouble(words, values, isOutlines, classes);
    if (wrong !== null) return { reason: `line ${number}: ${wrong}` };
    const key = values.join(' ');
    if (seen.has(key)) continue;
    seen.add(key);
    const [label, ...rest] = values as [number, ...number[]];
    const place = isOutlines ? around(rest) : (rest as [number, number, number, number]);
    boxes.push({ label, box: unnormalized(place, image) });
  }
  return boxes;
}

function trouble(
  words: readonly string[],
  values: readonly number[],
  isOutlines: boolean,
  classes: number,
): string | null {
  const broken = values.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0) return `'${words[broken]}' is no number`;
  const fits = isOutlines ? values.length >= NUMBERS && values.length % 2 === 1 : values.length === NUMBERS;
  if (!fits) {
    return `expected ${isOutlines ? 'a class and pairs of numbers' : 'a class and four numbers'}, got ${values.length} ${values.length === 1 ? 'number' : 'numbers'}`;
  }
  const [label, ...rest] = values as [number, ...number[]];
  if (!Number.isInteger(label) || label < 0 || label >= classes) {
    return `there is no class ${words[0]}; the classes are 0 to ${classes - 1}`;
  }
  // What is 1 in float32 is 1, as in YOLOv5.
  const outside = rest.find((value) => value < 0 || Math.fround(value) > 1);
  return outside === undefined ? null : `${outside} is outside of the image; expected shares from 0 to 1`;
}

/** Centre, width and height of the box around points. */
function around(points: readonly number[]): [number, number, number, number] {
  const xs = points.filter((_, index) => index % 2 === 0);
  const ys = points.filter((_, index) => index % 2 === 1);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top];
}
