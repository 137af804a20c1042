import { ArgumentError } from '../../core/errors.ts';
import { Generator } from '../../core/random.ts';
import type { Anchors } from '../../models/index.ts';
import type { DetectionDataset } from '../dataset.ts';
import { kMeans } from './k-means.ts';

/** How well anchors fit boxes. */
export interface AnchorFit {
  /** Best possible recall: share of the boxes for which there is an anchor. */
  readonly bpr: number;
  /** Anchors above the threshold: how many there are for a box, on average. */
  readonly aat: number;
}

/** Options of `kmeanAnchors`. */
export interface KmeanAnchorsOptions {
  /** Default 9. */
  readonly count?: number;
  /** Largest ratio between the sides of a box and an anchor for it, above 1; default 4. */
  readonly threshold?: number;
  /** Default 1000. */
  readonly generations?: number;
  /** Everything random is drawn from it. */
  readonly generator: Generator;
}

/** Options of `autoAnchor`. */
export interface AutoAnchorOptions {
  /** Pixels of the longer side of images in training. */
  readonly imageSize: number;
  /** As `anchorT` of the hyperparameters; default 4. */
  readonly threshold?: number;
  /** Everything random follows from it. Default 0. */
  readonly seed?: number;
}

/** What `autoAnchor` came to. */
export interface AutoAnchors {
  /** In pixels; those given, or new ones. */
  readonly anchors: Anchors;
  readonly changed: boolean;
  /** Of the anchors given. */
  readonly before: AnchorFit;
  /** Of `anchors`. */
  readonly after: AnchorFit;
  /** Boxes they were compared with. */
  readonly boxes: number;
}

/** A best possible recall up to here asks for other anchors. */
const GOOD_RECALL = 0.98;

/** Boxes whose sides are both smaller are left out of what anchors are fitted to. */
const LEAST_SIDE = 2;

/** Share of the numbers that a mutation changes, and by how much: the standard deviation, and at most. */
const [MUTATED, SIGMA, LEAST_FACTOR, MOST_FACTOR] = [0.9, 0.1, 0.3, 3];

/** How near an anchor is to a box: the smallest of the ratios of their widths and of their heights, taken so that they are at most 1. */
const nearness = (w: number, h: number, width: number, height: number): number =>
  Math.min(w < width ? w / width : width / w, h < height ? h / height : height / h);

/**
 * How well anchors fit boxes. `sizes` are widths and heights of the boxes in pixels at the size of training, one after the other; `threshold` is the largest ratio between sides. Throws ArgumentError where there are no boxes.
 * Source: `metric` of `check_anchors` in YOLOv5's autoanchor.py.
 */
export function anchorFit(sizes: Float32Array, anchors: Anchors, threshold = 4): AnchorFit {
  checkFit('anchorFit', sizes, threshold);
  const flat = anchors.flat();
  const least = 1 / threshold;
  let [recalled, above] = [0, 0];
  for (let box = 0; box < sizes.length; box += 2) {
    let fitting = 0;
    for (let k = 0; k < flat.length; k += 2)
      if (nearness(sizes[box]!, sizes[box + 1]!, flat[k]!, flat[k + 1]!) > least) fitting++;
    above += fitting;
    if (fitting > 0) recalled++;
  }
  const boxes = sizes.length / 2;
  return { bpr: recalled / boxes, aat: above / boxes };
}

function checkFit(caller: string, sizes: Float32Array, threshold: number): void {
  if (sizes.length < 2 || sizes.length % 2 !== 0) {
    throw new ArgumentError(
      `${caller}: expected widths and heights of one box at least, got ${sizes.length} numbers`,
    );
  }
  if (!(threshold > 1))
    throw new ArgumentError(`${caller}: threshold expects a ratio above 1, got ${threshold}`);
}

/** Mean nearness of the best anchor, where it is near enough: what evolution makes larger. */
function fitness(sizes: Float32Array, anchors: Float64Array, threshold: number): number {
  const least = 1 / threshold;
  let sum = 0;
  for (let box = 0; box < sizes.length; box += 2) {
    let best = 0;
    for (let k = 0; k < anchors.length; k += 2) {
      const near = nearness(sizes[box]!, sizes[box + 1]!, anchors[k]!, anchors[k + 1]!);
      if (near > best) best = near;
    }
    if (best > least) sum += best;
  }
  return sum / (sizes.length / 2);
}

/**
 * Anchors for boxes: the means of clusters of their sizes, then changed at random for so many generations, of which each that fits better is kept. Gives widths and heights in pixels, small areas first. Boxes
 * of which both sides are below two pixels do not count, if there are others. Where there are too few for clusters, it begins from boxes drawn at random.
 *
 * Throws as `anchorFit`. Source: `kmean_anchors` of YOLOv5's autoanchor.py, with a generator of our own; that begins from random sizes where
 * there are too few boxes, none of which may be near one.
 */
export function kmeanAnchors(sizes: Float32Array, options: KmeanAnchorsOptions): number[] {
  const { count = 9, threshold = 4, generations = 1000, generator } = options;
  checkFit('kmeanAnchors', sizes, threshold);
  const boxes = largerBoxes(sizes);
  let anchors = clustersOf(boxes, count, generator) ?? drawn(boxes, count, generator);
  let best = fitness(boxes, anchors, threshold);
  for (let generation = 0; generation < generations; generation++) {
    const factors = mutation(anchors.length, generator);
    const changed = anchors.map((side, index) => Math.max(2, side * factors[index]!));
    const own = fitness(boxes, changed, threshold);
    if (own > best) [best, anchors] = [own, changed];
  }
  const pairs = Array.from({ length: count }, (_, k) => [anchors[2 * k]!, anchors[2 * k + 1]!] as const);
  return pairs.sort(([w1, h1], [w2, h2]) => w1 * h1 - w2 * h2).flat();
}

const largerBoxes = (sizes: Float32Array): Float32Array => {
  const kept: number[] = [];
  for (let box = 0; box < sizes.length; box += 2) {
    const [width, height] = [sizes[box]!, sizes[box + 1]!];
    if (width >= LEAST_SIDE || height >= LEAST_SIDE) kept.push(width, height);
  }
  return kept.length === 0 ? sizes : Float32Array.from(kept);
};

/** Sizes of boxes drawn at random, of which some may be the same. */
function drawn(boxes: Float32Array, count: number, generator: Generator): Float64Array {
  const places = generator.randint(count, 0, boxes.length / 2);
  return Float64Array.from({ length: count * 2 }, (_, at) => boxes[2 * places[at >> 1]! + (at % 2)]!);
}

/** Factors of which one at least is not 1. */
function mutation(length: number, generator: Generator): Float64Array {
  for (;;) {
    const changes = generator.rand64(length);
    const strength = generator.rand64(1)[0]!;
    const normal = generator.randn(length);
    const factors = changes.map((chance, index) => {
      const factor = (chance < MUTATED ? 1 : 0) * strength * normal[index]! * SIGMA + 1;
      return Math.min(MOST_FACTOR, Math.max(LEAST_FACTOR, factor));
    });
    if (factors.some((factor) => factor !== 1)) return factors;
  }
}

/** Means of clusters of boxes, each side measured in its standard deviation; null where there are too few different boxes. */
function clustersOf(boxes: Float32Array, count: number, generator: Generator): Float64Array | null {
  if (boxes.length / 2 < count) return null;
  const deviations = [0, 1].map((side) => {
    const own = boxes.filter((_, index) => index % 2 === side);
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
    return Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length);
  });
  // Where a side is the same in all boxes it tells none apart.
  const scales = deviations.map((deviation) => (deviation > 0 ? deviation : 1));
  const whitened = Float64Array.from(boxes, (side, index) => side / scales[index % 2]!);
  return kMeans(whitened, count, generator)?.map((side, index) => side * scales[index % 2]!) ?? null;
}

/**
 * Checks whether anchors fit the boxes of a data set, and finds others where the best possible recall is 0.98 or less: they take the place of those given where theirs is higher. In each image boxes count
 * as they are where its longer side is `imageSize`, up to a tenth smaller or larger.
 *
 * Throws ArgumentError where there are no boxes. Source: `check_anchors` of YOLOv5's autoanchor.py.
 */
export async function autoAnchor(
  dataset: DetectionDataset,
  anchors: Anchors,
  options: AutoAnchorOptions,
): Promise<AutoAnchors> {
  const { imageSize, threshold = 4, seed = 0 } = options;
  const generator = new Generator(seed);
  const [exact, sizes] = await boxSizes(dataset, imageSize, generator);
  const before = anchorFit(sizes, anchors, threshold);
  const kept: AutoAnchors = { anchors, changed: false, before, after: before, boxes: sizes.length / 2 };
  if (before.bpr > GOOD_RECALL) return kept;
  const count = anchors.flat().length / 2;
  const flat = kmeanAnchors(exact, { count, threshold, generator });
  const each = flat.length / anchors.length;
  const found = anchors.map((_, map) => flat.slice(map * each, (map + 1) * each));
  const after = anchorFit(sizes, found, threshold);
  return after.bpr > before.bpr ? { ...kept, anchors: found, changed: true, after } : kept;
}

/** What a check of the anchors came to, a sentence: `anchors stay: there is one for 99.8 % of 2,804 boxes`. */
export function describeAnchors({ changed, before, after, boxes }: AutoAnchors): string {
  const recall = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const count = boxes.toLocaleString('en-US');
  return changed
    ? `anchors were fitted anew to ${count} boxes: there is one for ${recall(after.bpr)} of them, before for ${recall(before.bpr)}`
    : `anchors stay: there is one for ${recall(before.bpr)} of ${count} boxes`;
}

/** Widths and heights of all boxes where the longer side of their image is `imageSize`; and the same made smaller or larger at random, image by image. */
async function boxSizes(
  dataset: DetectionDataset,
  imageSize: number,
  generator: Generator,
): Promise<readonly [exact: Float32Array, varied: Float32Array]> {
  const factors = generator.uniform(dataset.length, 0.9, 1.1);
  const [exact, varied]: [number[], number[]] = [[], []];
  for (const [index, size] of dataset.sizes.entries()) {
    const labels = dataset.labels?.[index] ?? (await dataset.get(index))?.labels ?? [];
    const scale = imageSize / Math.max(size.height, size.width);
    for (const { box } of labels) {
      const sides = [(box[2] - box[0]) * scale, (box[3] - box[1]) * scale];
      exact.push(...sides);
      varied.push(...sides.map((side) => side * factors[index]!));
    }
  }
  if (exact.length === 0) {
    throw new ArgumentError(
      'autoAnchor: the images have no boxes to fit anchors to; is the path of the labels right?',
    );
  }
  return [Float32Array.from(exact), Float32Array.from(varied)];
}
