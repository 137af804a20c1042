import { ArgumentError, ShapeError } from '../../core/errors.ts';
import { Tensor } from '../../core/tensor.ts';
import { type Anchors, checkAnchors, YOLOV5_STRIDES } from '../../models/index.ts';
import { F, type Variable } from '../../nn/index.ts';
import type { LossFunction, LossWithParts } from '../../train/index.ts';
import { assignTargets, LABEL_SIZE, type TargetGrid } from './assign-targets.ts';
import { completeIou } from './complete-iou.ts';
import { type DetectorHyperparameters, detectorHyperparameters } from './hyperparameters.ts';
import { packMatches, ROWS_PER_IMAGE, unpackTargets } from './packed-targets.ts';

/** Numbers of a place before its classes: x, y, width, height, objectness. */
const BEFORE_CLASSES = 5;

/** Options of `YoloLoss`. */
export interface YoloLossOptions {
  /** Number of classes. */
  readonly classes: number;
  /** Anchors of each map in pixels. */
  readonly anchors: Anchors;
  /** Pixels per cell of each map; default 8, 16, 32. */
  readonly strides?: readonly number[];
  /** Size in pixels that images are trained at, the longer side where they are not square; scales the gain of objectness. */
  readonly imageSize: number;
  /** box, cls, obj, clsPw, objPw, anchorT, flGamma and labelSmoothing count here; the usual ones by default. */
  readonly hyperparameters?: Partial<DetectorHyperparameters>;
  /**
   * Rows that targets are packed into at least, for each image of a batch; default 64. A step is compiled for each number of rows, which is a power of two: with enough of them all batches share one.
   */
  readonly rowsPerImage?: number;
}

/** Weights of the parts of the loss. */
export interface LossGains {
  readonly box: number;
  readonly cls: number;
  readonly obj: number;
}

/**
 * The gains that hyperparameters mean for so many maps and classes at an image size in pixels: hyperparameters are those of three maps, 80 classes and 640 pixels. Source: train.py of YOLOv5 v7.0.
 */
export const scaledGains = (
  { box, cls, obj }: LossGains,
  detector: { readonly maps: number; readonly classes: number; readonly imageSize: number },
): LossGains => {
  const perMap = 3 / detector.maps;
  return {
    box: box * perMap,
    cls: ((cls * detector.classes) / 80) * perMap,
    obj: obj * (detector.imageSize / 640) ** 2 * perMap,
  };
};

/** Factors of the objectness of each map, finest first. Source: `ComputeLoss.balance`. */
const balanceOf = (maps: number): readonly number[] =>
  maps === 3 ? [4, 1, 0.4] : [4, 1, 0.25, 0.06, 0.02].slice(0, maps);

/** Most maps that have a balance. */
const MOST_MAPS = 5;

/**
 * YOLOv5's loss: complete IoU of the boxes, binary cross entropy of objectness, whose target is that IoU, and of classes. Targets are assigned to places of the maps by `pack`, in JavaScript, when a batch is put
 * together; `function` writes the rest as a graph.
 *
 * ```ts
 * const loss = new YoloLoss({ classes: 3, anchors: COCO_ANCHORS, imageSize: 320 });
 * const labels = new Tensor('float32', [1, 5], Float32Array.of(0, 0.5, 0.5, 0.2, 0.3));
 * const packed = loss.pack([labels], [320, 320]);
 * const trainer = new Trainer(model, { loss: loss.function, optimizer });
 * ```
 *
 * Source: `ComputeLoss` of YOLOv5 v7.0.
 */
export class YoloLoss {
  readonly classes: number;
  readonly strides: readonly number[];
  /** Weights of the parts, scaled. */
  readonly gains: LossGains;
  /** The loss for a Trainer; its targets are what `pack` gives. Throws as `terms`. */
  readonly function: LossFunction;
  readonly #rowsPerImage: number;
  readonly #hyperparameters: DetectorHyperparameters;
  readonly #balance: readonly number[];
  /** In cells. */
  readonly #anchors: readonly (readonly number[])[];

  /** Throws ArgumentError where classes, sizes, anchors or hyperparameters cannot be. */
  constructor(options: YoloLossOptions) {
    const { classes, anchors, strides = YOLOV5_STRIDES, imageSize, rowsPerImage = ROWS_PER_IMAGE } = options;
    if (!Number.isSafeInteger(classes) || classes < 1) {
      throw new ArgumentError(`YoloLoss: classes expects a whole number of at least 1, got ${classes}`);
    }
    if (!(imageSize > 0 && Number.isFinite(imageSize))) {
      throw new ArgumentError(`YoloLoss: imageSize expects pixels above 0, got ${imageSize}`);
    }
    if (!(rowsPerImage > 0 && Number.isFinite(rowsPerImage))) {
      throw new ArgumentError(`YoloLoss: rowsPerImage expects a number above 0, got ${rowsPerImage}`);
    }
    checkAnchors('YoloLoss', anchors, strides);
    if (strides.length > MOST_MAPS) {
      throw new ArgumentError(`YoloLoss: expects at most ${MOST_MAPS} maps, got ${strides.length}`);
    }
    this.classes = classes;
    this.#rowsPerImage = rowsPerImage;
    this.strides = strides;
    this.#hyperparameters = detectorHyperparameters(options.hyperparameters);
    this.gains = scaledGains(this.#hyperparameters, { maps: strides.length, classes, imageSize });
    this.#balance = balanceOf(strides.length);
    this.#anchors = anchors.map((sizes, map) => sizes.map((size) => size / strides[map]!));
    this.function = (_, target, { outputs }) => this.terms(outputs, target);
  }

  /**
   * Assigns the labels of a batch to places of the maps, and packs them into one tensor, which is the target of `function`. Of an image the labels are float32 `[n, 5]`: class, centre x, centre y, width
   * and height in shares of the image; n may be 0. `size` is that of the images in pixels, height and width.
   *
   * Throws ArgumentError where labels are no such thing, or `size` is no multiple of the strides.
   */
  pack(targets: readonly Tensor[], size: readonly [height: number, width: number]): Tensor {
    if (targets.length === 0)
      throw new ArgumentError('YoloLoss: pack() expects labels of one image at least');
    targets.forEach((target, image) => {
      this.#checkLabels(target, image);
    });
    const labels = targets.map((target) => target.float32);
    const maps = this.#grids(size).map((grid, map) => ({
      grid,
      matches: assignTargets(labels, grid, this.#hyperparameters.anchorT),
      balance: this.#balance[map]!,
    }));
    return packMatches(targets.length, maps, this.#rowsPerImage);
  }

  /**
   * The loss, which is the sum of its parts times the size of the batch, and the parts `box`, `obj` and `cls` with their gains, out of a model's raw maps `[N, anchors, height, width, 5 + classes]` and packed
   * targets. A single class has no loss of its own: `cls` is 0. Throws ShapeError where the maps do not fit, ArgumentError where the targets do not.
   */
  terms(outputs: readonly Variable[], packed: Variable): LossWithParts {
    this.#checkMaps(outputs);
    const targets = unpackTargets(packed, outputs.length);
    const numbers = BEFORE_CLASSES + this.classes;
    const maps = outputs.map((map) => map.view(-1, numbers));
    const matched = F.cat(maps.map((map, index) => map.tracer.op('Gather', [map, targets.places[index]!])));
    const [places, logit, scores] = matched.split([4, 1, this.classes], 1) as [Variable, Variable, Variable];

    const [centre, size] = F.sigmoid(places).mul(2).split(2, 1) as [Variable, Variable];
    const predicted = {
      centre: centre.sub(0.5),
      size: size.mul(size).mul(targets.anchors).clamp(SMALLEST_SIDE),
    };
    const overlap = completeIou(predicted, targets.boxes);
    // 1 - IoU; its weights are 0 in rows that fill up.
    const boxLoss = overlap.neg().add(1).mul(targets.weights).sum();
    const box = boxLoss.mul(this.gains.box);
    const obj = this.#objectness(maps, logit, overlap.clamp(0).detach(), targets.objectness).mul(
      this.gains.obj,
    );
    const cls = this.#classLoss(scores, targets.labels, targets.weights).mul(this.gains.cls);
    return { loss: box.add(obj).add(cls).mul(outputs[0]!.size(0)), parts: { box, obj, cls } };
  }

  /**
   * `Σ balance mean(loss(x, t))` over all places of each map, where t is 0 but at the places matched. Written as the loss of a target of 0 everywhere, which needs no map of targets, and what each match changes.
   */
  #objectness(maps: readonly Variable[], logit: Variable, overlap: Variable, weights: Variable): Variable {
    const changes = this.#crossEntropy(logit, overlap, this.#hyperparameters.objPw)
      .sub(this.#crossEntropyOfNothing(logit))
      .mul(weights)
      .sum();
    return maps.reduce(
      (total, map, index) =>
        total.add(
          this.#crossEntropyOfNothing(map.narrow(1, 4, 1))
            .mean()
            .mul(this.#balance[index]!),
        ),
      changes,
    );
  }

  /** Mean over the matches of each map and the classes. Source: `smooth_BCE` of YOLOv5 v7.0 for what smoothing makes of targets. */
  #classLoss(scores: Variable, labels: Variable, weights: Variable): Variable {
    const { tracer } = scores;
    if (this.classes === 1) return tracer.scalar(0);
    const { labelSmoothing, clsPw } = this.#hyperparameters;
    const range = tracer.constant(
      new Tensor(
        'float32',
        [1, this.classes],
        Float32Array.from({ length: this.classes }, (_, label) => label),
      ),
    );
    const isClass = tracer.op('Equal', [labels, range]);
    const targets = F.where(isClass, tracer.scalar(1 - labelSmoothing / 2), labelSmoothing / 2);
    return this.#crossEntropy(scores, targets, clsPw).mean(1, { keepdim: true }).mul(weights).sum();
  }

  /**
   * Binary cross entropy of logits element by element, with focal loss where gamma is above 0: `(α t + (1 - α) (1 - t)) (1 - p_t)^γ BCE`, `1 - p_t = t (1 - p) + (1 - t) p`, α = 1/4. Source: Lin et al. 2017;
   * `FocalLoss` of YOLOv5 v7.0.
   */
  #crossEntropy(logits: Variable, targets: Variable, positive: number): Variable {
    const plain = F.binaryCrossEntropyWithLogits(logits, targets, {
      reduction: 'none',
      ...(positive === 1 ? {} : { posWeight: positive }),
    });
    const { flGamma } = this.#hyperparameters;
    if (flGamma === 0) return plain;
    const missed = targets.mul(F.sigmoid(logits.neg())).add(rest(targets).mul(F.sigmoid(logits)));
    const alpha = targets.mul(FOCAL_ALPHA).add(rest(targets).mul(1 - FOCAL_ALPHA));
    return plain.mul(alpha).mul(missed.pow(flGamma));
  }

  /** `#crossEntropy` for targets of 0, which need not be written out. */
  #crossEntropyOfNothing(logits: Variable): Variable {
    const { flGamma } = this.#hyperparameters;
    const plain = F.softplus(logits);
    return flGamma === 0 ? plain : plain.mul(1 - FOCAL_ALPHA).mul(F.sigmoid(logits).pow(flGamma));
  }

  #grids([height, width]: readonly [number, number]): TargetGrid[] {
    return this.#anchors.map((anchors, map) => {
      const stride = this.strides[map]!;
      const grid = { anchors, height: height / stride, width: width / stride };
      if (
        Number.isSafeInteger(grid.height) &&
        Number.isSafeInteger(grid.width) &&
        grid.height * grid.width > 0
      )
        return grid;
      throw new ArgumentError(
        `YoloLoss: pack() expects a height and width that are multiples of the stride ${stride}, got ${height} and ${width}`,
      );
    });
  }

  #checkLabels(target: Tensor, image: number): void {
    const [count = 0, numbers] = target.shape;
    if (target.dtype !== 'float32' || target.shape.length !== 2 || numbers !== LABEL_SIZE) {
      throw new ArgumentError(
        `YoloLoss: labels of image ${image} expect float32[n, 5] of class, x, y, width and height, got ${target}`,
      );
    }
    const elements = target.float32;
    for (let row = 0; row < count; row++) {
      const [label, ...box] = elements.subarray(row * LABEL_SIZE, (row + 1) * LABEL_SIZE);
      if (!(Number.isInteger(label) && label! >= 0 && label! < this.classes)) {
        throw new ArgumentError(
          `YoloLoss: label ${row} of image ${image} has the class ${label}; expected a whole number of 0 to ${this.classes - 1}`,
        );
      }
      if (!box.every(isShare)) {
        throw new ArgumentError(
          `YoloLoss: label ${row} of image ${image} has the box ${box.join(', ')}; expected centre, width and height in shares of the image, 0 to 1`,
        );
      }
    }
  }

  #checkMaps(outputs: readonly Variable[]): void {
    const expected = `${this.strides.length} raw maps float32[N, ${this.#anchors[0]!.length / 2}, height, width, ${BEFORE_CLASSES + this.classes}]`;
    const fits = outputs.every(({ dtype, shape }) => {
      const [, anchors, , , numbers] = shape;
      return (
        dtype === 'float32' &&
        shape.length === 5 &&
        anchors === this.#anchors[0]!.length / 2 &&
        numbers === BEFORE_CLASSES + this.classes
      );
    });
    if (fits && outputs.length === this.strides.length) return;
    throw new ShapeError(
      `YoloLoss: expects ${expected} of the model for ${this.classes} classes, got ${outputs.map(({ dtype, shape }) => `${dtype}[${shape.join(', ')}]`).join(', ')}; a detector gives raw maps in training mode`,
    );
  }
}

/** In cells. onnxruntime's sigmoid is 0 below -18, and a box without sides has no shape. */
const SMALLEST_SIDE = 1e-14;

/** Share of positives in the focal loss. */
const FOCAL_ALPHA = 0.25;

const rest = (share: Variable): Variable => share.neg().add(1);

/** Rounding may leave shares a little outside. */
const isShare = (value: number): boolean => value >= -1e-3 && value <= 1 + 1e-3;
