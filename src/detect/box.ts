import { ArgumentError } from '../core/errors.ts';

/** Corners of a box in pixels, top left and bottom right: x1, y1, x2, y2. */
export type Box = readonly [x1: number, y1: number, x2: number, y2: number];

/** Centre, width and height of a box. */
export type CenterBox = readonly [x: number, y: number, width: number, height: number];

/** A box and what is in it. */
export interface LabelledBox {
  readonly box: Box;
  /** Index into the classes. */
  readonly label: number;
}

/** A box that a network found. */
export interface Detection extends LabelledBox {
  /** Objectness times the probability of the class, 0 to 1. */
  readonly confidence: number;
}

/** Height and width of an image in pixels. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/** Corners of a box given by its centre. Source: YOLOv5's `xywh2xyxy`. */
export const xywhToXyxy = ([x, y, width, height]: CenterBox): Box => [
  x - width / 2,
  y - height / 2,
  x + width / 2,
  y + height / 2,
];

/** Centre, width and height of a box given by its corners. Source: YOLOv5's `xyxy2xywh`. */
export const xyxyToXywh = ([x1, y1, x2, y2]: Box): CenterBox => [
  (x1 + x2) / 2,
  (y1 + y2) / 2,
  x2 - x1,
  y2 - y1,
];

/** A box in pixels, from one in shares of an image as label files have it. Source: YOLOv5's `xywhn2xyxy`. */
export const unnormalized = ([x, y, width, height]: CenterBox, image: ImageSize): Box =>
  xywhToXyxy([x * image.width, y * image.height, width * image.width, height * image.height]);

/** A box in shares of an image, from one in pixels. Source: YOLOv5's `xyxy2xywhn`. */
export function normalized(box: Box, image: ImageSize): CenterBox {
  const [x, y, width, height] = xyxyToXywh(box);
  return [x / image.width, y / image.height, width / image.width, height / image.height];
}

const within = (value: number, most: number): number => Math.min(Math.max(value, 0), most);

/** A box cut off at the edges of an image. Source: YOLOv5's `clip_boxes`. */
export const clipBox = ([x1, y1, x2, y2]: Box, { height, width }: ImageSize): Box => [
  within(x1, width),
  within(y1, height),
  within(x2, width),
  within(y2, height),
];

/** Width times height; 0 where the corners are the wrong way round. */
const areaOf = ([x1, y1, x2, y2]: Box): number => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);

const intersection = (a: Box, b: Box): number =>
  areaOf([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);

/** Intersection over union with nothing added; 0 where both are empty. Source: pycocotools' `iou`. */
export function overlap(a: Box, b: Box): number {
  const shared = intersection(a, b);
  return shared === 0 ? 0 : shared / (areaOf(a) + areaOf(b) - shared);
}

/** How the overlap of two boxes is told: plain, or with a penalty for what lies between them. */
export type IouKind = 'iou' | 'giou' | 'diou' | 'ciou';

/** Keeps quotients finite. Source: YOLOv5's `bbox_iou`. */
const EPSILON = 1e-7;

/**
 * Intersection over union of two boxes, 0 to 1, as YOLOv5's `bbox_iou` computes it but for float32.
 *
 * @param kind 'iou' by default. 'giou' takes off the share of the enclosing box that neither covers (Rezatofighi et al. 2019, above -1), 'diou' the squared distance of
 *   the centres over the squared diagonal of the enclosing box, 'ciou' also the difference of the aspect ratios (Zheng et al. 2020).
 *
 * Throws ArgumentError for another kind.
 */
export function boxIou(a: Box, b: Box, kind: IouKind = 'iou'): number {
  const [widthA, heightA] = [a[2] - a[0], a[3] - a[1] + EPSILON];
  const [widthB, heightB] = [b[2] - b[0], b[3] - b[1] + EPSILON];
  const shared = intersection(a, b);
  const union = widthA * heightA + widthB * heightB - shared + EPSILON;
  const iou = shared / union;
  if (kind === 'iou') return iou;
  const width = Math.max(a[2], b[2]) - Math.min(a[0], b[0]);
  const height = Math.max(a[3], b[3]) - Math.min(a[1], b[1]);
  if (kind === 'giou') {
    const enclosing = width * height + EPSILON;
    return iou - (enclosing - union) / enclosing;
  }
  const diagonal = width ** 2 + height ** 2 + EPSILON;
  const distance = ((b[0] + b[2] - a[0] - a[2]) ** 2 + (b[1] + b[3] - a[1] - a[3]) ** 2) / 4;
  if (kind === 'diou') return iou - distance / diagonal;
  if (kind !== 'ciou') {
    throw new ArgumentError(
      `boxIou: expected the kind 'iou', 'giou', 'diou' or 'ciou', got '${String(kind)}'`,
    );
  }
  const shape = (4 / Math.PI ** 2) * (Math.atan(widthB / heightB) - Math.atan(widthA / heightA)) ** 2;
  return iou - (distance / diagonal + (shape * shape) / (shape - iou + 1 + EPSILON));
}

const { fround } = Math;

/**
 * Intersection over union of each of `rows` with each of `columns`, [rows, columns] row by row, in float32 as YOLOv5's `box_iou`: what lies on a threshold falls on the same side as
 * there.
 */
export function iouMatrix(rows: readonly Box[], columns: readonly Box[]): Float32Array {
  const single = (boxes: readonly Box[]): Box[] =>
    boxes.map(([x1, y1, x2, y2]) => [fround(x1), fround(y1), fround(x2), fround(y2)]);
  const size = ([x1, y1, x2, y2]: Box): number => fround(fround(x2 - x1) * fround(y2 - y1));
  const epsilon = fround(EPSILON);
  const [a, b] = [single(rows), single(columns)];
  const sizes = b.map(size);
  const matrix = new Float32Array(a.length * b.length);
  a.forEach((one, row) => {
    const own = size(one);
    b.forEach((other, column) => {
      const width = fround(Math.min(one[2], other[2]) - Math.max(one[0], other[0]));
      const height = fround(Math.min(one[3], other[3]) - Math.max(one[1], other[1]));
      if (!(width > 0 && height > 0)) return;
      const shared = fround(width * height);
      const union = fround(fround(fround(own + sizes[column]!) - shared) + epsilon);
      matrix[row * b.length + column] = shared / union;
    });
  });
  return matrix;
}
