import { ArgumentError, UnsupportedError } from '../../core/errors.ts';
import type { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import {
  type Collate,
  DataError,
  type Dataset,
  type Sample,
  stackSamples,
  toFloat,
} from '../../data/index.ts';
import { clipBox, type ImageSize, normalized } from '../box.ts';
import type { DetectionDataset, DetectionSample } from '../dataset.ts';
import { letterbox } from '../letterbox.ts';
import { flipLeftRight, flipUpDown } from './flip.ts';
import { randomHsv } from './hsv.ts';
import { type DetectorHyperparameters, detectorHyperparameters } from './hyperparameters.ts';
import { drawMixupShare, mixup } from './mixup.ts';
import { mosaic } from './mosaic.ts';
import { randomPerspective } from './perspective.ts';
import { cachedInMemory, isScaled, pixelBytes, type ScaledDataset, scaledDataset } from './scaled-dataset.ts';

/** Options of `DetectionTrainingData`. */
export interface DetectionTrainingOptions {
  /** Side of the squares that images are put into; an even number of pixels, a multiple of the model's largest stride (32). */
  readonly size: number;
  /** Change images at random, by `hyperparameters`. Default true; without, they are scaled and get grey edges, and small ones are not enlarged beyond `size`. */
  readonly augment?: boolean;
  /** Ultralytics' defaults where they are left out. */
  readonly hyperparameters?: Partial<DetectorHyperparameters>;
  /** Keep scaled images in memory. By default where they take at most 1 GiB, and the data set given does not keep them already. */
  readonly cache?: 'memory' | false;
  /** Make no more mosaics, as for the last epochs. Default false. */
  readonly mosaicClosed?: boolean;
}

/** Most bytes of images that are kept in memory without being asked to. */
const MEMORY_LIMIT = 2 ** 30;

/** Numbers of a target: class, centre x, y, width, height. */
const TARGET = 5;

/** Boxes end this far before the right and the lower edge, in pixels. Source: `__getitem__` of YOLOv5's dataloaders.py. */
const EDGE = 1e-3;

/**
 * Images with boxes as samples to train a detector with: input float32[3, size, size], RGB in [0, 1]; target float32[n, 5], of each box the class, and centre x, y, width and height in shares of the image; n may be 0.
 * Source: `LoadImagesAndLabels.__getitem__` of YOLOv5's dataloaders.py (v7.0), without its albumentations, which are off where that package is missing.
 *
 * In training an image is scaled to `size` by its longer side; then, with probability `mosaic`, four are put together around a random point, the others drawn evenly from the data set, and, with probability `mixup`, laid
 * over another mosaic; or else it gets grey edges. Then it is moved, its colours are changed, and it is mirrored. Everything random is drawn from the generator of the sample.
 *
 * For an image whose pixels turn out to be damaged the next one stands in, the same each time; the data set reports it.
 */
export class DetectionTrainingData implements Dataset {
  readonly length: number;
  readonly classes: readonly string[];
  readonly size: number;
  readonly augment: boolean;
  readonly hyperparameters: DetectorHyperparameters;
  /** May be changed between epochs. */
  mosaicClosed: boolean;
  readonly #images: ScaledDataset;
  readonly #broken = new Set<number>();
  /** Each mosaic is moved into another image before the next is made. */
  readonly #canvas: Uint8Array;

  /**
   * Throws ArgumentError for no images, a size that is none, hyperparameters out of range, or a data set scaled to another size; UnsupportedError for `copyPaste`.
   */
  constructor(dataset: DetectionDataset, options: DetectionTrainingOptions) {
    const { size, augment = true, mosaicClosed = false } = options;
    if (!Number.isSafeInteger(size) || size < 2 || size % 2 !== 0) {
      throw new ArgumentError(`DetectionTrainingData: size expects an even number above 0, got ${size}`);
    }
    if (dataset.length === 0) throw new ArgumentError('DetectionTrainingData: the data set has no images');
    const hyperparameters = detectorHyperparameters(options.hyperparameters);
    if (augment && hyperparameters.copyPaste > 0) {
      throw new UnsupportedError(
        `DetectionTrainingData: copyPaste is ${hyperparameters.copyPaste}; it needs outlines of objects, and only their boxes are read; set it to 0`,
      );
    }
    this.length = dataset.length;
    this.classes = dataset.names;
    this.size = size;
    this.augment = augment;
    this.hyperparameters = hyperparameters;
    this.mosaicClosed = mosaicClosed;
    this.#images = prepared(dataset, size, augment, options.cache);
    this.#canvas = new Uint8Array(augment && hyperparameters.mosaic > 0 ? (2 * size) ** 2 * 3 : 0);
  }

  /** The sample at `index`. Throws ArgumentError where there is none, DataError where no image of the data set can be read. */
  async get(index: number, random: Generator): Promise<Sample> {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) {
      throw new ArgumentError(`DetectionTrainingData: there is no sample ${index}, there are ${this.length}`);
    }
    const sample = this.augment
      ? await this.#augmented(index, random)
      : this.#boxed(await this.#image(index), false);
    return { input: toFloat()(sample.image, random), target: targetOf(sample.labels, this.#square) };
  }

  get #square(): ImageSize {
    return { height: this.size, width: this.size };
  }

  async #augmented(index: number, random: Generator): Promise<DetectionSample> {
    const { mosaic: mosaics, mixup: mixups, flipud, fliplr } = this.hyperparameters;
    const chance = (share: number): boolean => random.rand(1)[0]! < share;
    let sample: DetectionSample;
    if (chance(mosaics) && !this.mosaicClosed) {
      sample = await this.#mosaic(index, random);
      if (chance(mixups)) {
        const other = await this.#mosaic(random.randint(1, 0, this.length)[0]!, random);
        sample = mixup(sample, other, drawMixupShare(random));
      }
    } else {
      const boxed = this.#boxed(await this.#image(index), true);
      sample = randomPerspective(boxed, this.hyperparameters, random);
    }
    sample = { image: randomHsv(sample.image, this.hyperparameters, random), labels: sample.labels };
    if (chance(flipud)) sample = flipUpDown(sample);
    return chance(fliplr) ? flipLeftRight(sample) : sample;
  }

  async #mosaic(index: number, random: Generator): Promise<DetectionSample> {
    const { size } = this;
    // All draws come before anything is waited for, so that their order is always the same.
    const [x, y] = random.uniform(2, size / 2, 1.5 * size) as Float32Array & [number, number];
    const indices = [index, ...random.randint(3, 0, this.length)];
    const order = random.randperm(4);
    const samples = await Promise.all(Array.from(order, (place) => this.#image(indices[place]!)));
    const four = mosaic(samples, [Math.trunc(x), Math.trunc(y)], 2 * size, this.#canvas);
    return randomPerspective(four, this.hyperparameters, random, this.#square);
  }

  /** An image in the middle of a square with grey edges. */
  #boxed({ image, labels }: DetectionSample, scaleup: boolean): DetectionSample {
    const { ratio, pad, image: boxed } = letterbox(image, { size: this.size, auto: false, scaleup });
    return {
      image: boxed,
      labels: labels.map(({ box: [x1, y1, x2, y2], label }) => ({
        label,
        box: [x1 * ratio[0] + pad[0], y1 * ratio[1] + pad[1], x2 * ratio[0] + pad[0], y2 * ratio[1] + pad[1]],
      })),
    };
  }

  /** The image at `index`, or the next one that is whole. */
  async #image(index: number): Promise<DetectionSample> {
    for (let step = 0; step < this.length; step++) {
      const place = (index + step) % this.length;
      if (this.#broken.has(place)) continue;
      const sample = await this.#images.get(place);
      if (sample !== null) return sample;
      this.#broken.add(place);
    }
    throw new DataError(`DetectionTrainingData: none of the ${this.length} images can be read`, index);
  }
}

function prepared(
  dataset: DetectionDataset,
  size: number,
  augment: boolean,
  cache: 'memory' | false | undefined,
): ScaledDataset {
  if (cache !== undefined && cache !== false && cache !== 'memory') {
    throw new ArgumentError(
      `DetectionTrainingData: cache expects 'memory' or false, got '${String(cache)}'; for the disk, pass what diskCachedDataset gives`,
    );
  }
  const shrinking = augment ? 'linear' : 'area';
  if (isScaled(dataset) && (dataset.longest !== size || dataset.shrinking !== shrinking)) {
    throw new ArgumentError(
      `DetectionTrainingData: expected images scaled to ${size} by '${shrinking}', got ${dataset.longest} by '${dataset.shrinking}'`,
    );
  }
  const scaled = isScaled(dataset) ? dataset : scaledDataset(dataset, { longest: size, shrinking });
  const fits = !scaled.isCached && pixelBytes(scaled) <= MEMORY_LIMIT;
  return cache === 'memory' || (cache === undefined && fits) ? cachedInMemory(scaled) : scaled;
}

/** float32[n, 5]: class, centre x, y, width and height in shares of the image, cut off at its edges. */
function targetOf(labels: DetectionSample['labels'], { height, width }: ImageSize): Tensor {
  const data = new Float32Array(labels.length * TARGET);
  labels.forEach(({ box, label }, row) => {
    const inside = clipBox(box, { height: height - EDGE, width: width - EDGE });
    data.set([label, ...normalized(inside, { height, width })], row * TARGET);
  });
  return new Tensor('float32', [labels.length, TARGET], data);
}

/**
 * Makes batches of detection samples for a `DataLoader`: images stacked, float32[N, 3, H, W], and targets packed into one tensor, and one by one where `sampleTargets` is called.
 *
 * @param pack Makes one tensor out of the targets of a batch and the images' [height, width], as `YoloLoss.pack`.
 *
 * Throws ShapeError where images differ in size, ArgumentError for no samples at all, and what `pack` throws.
 */
export const detectionCollate =
  (pack: (targets: readonly Tensor[], size: readonly [height: number, width: number]) => Tensor): Collate =>
  (samples, indices) => {
    // Numbers of boxes differ, so that targets cannot be stacked.
    const inputs = samples.map(({ input }) => ({ input, target: NO_TARGET }));
    const { input } = stackSamples(inputs, indices);
    const [height, width] = input.shape.slice(-2) as [number, number];
    const targets = samples.map(({ target }) => target);
    return {
      input,
      target: pack(targets, [height, width]),
      indices,
      sampleTargets: () => targets.map((target) => pack([target], [height, width])),
    };
  };

const NO_TARGET = /* @__PURE__ */ Tensor.zeros('float32', []);
