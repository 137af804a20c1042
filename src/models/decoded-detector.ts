import { type AnyModule, Module, Variable } from '../nn/index.ts';
import { type Anchors, COCO_ANCHORS, checkAnchors, YOLOV5_STRIDES } from './yolov5-anchors.ts';
import { decodeMaps } from './yolov5-decode.ts';

/** Options of `decodedDetector`. */
export interface DecodedDetectorOptions {
  /** Default COCO's. */
  readonly anchors?: Anchors;
  /** Pixels of the image per cell of each map. Default 8, 16, 32. */
  readonly strides?: readonly number[];
}

/** A module that gives raw maps, with their boxes decoded in evaluation mode; made by `decodedDetector`. */
export class DecodedDetector extends Module<readonly Variable[]> {
  readonly anchors: Anchors;
  readonly strides: readonly number[];
  model: AnyModule;

  /** Throws ArgumentError for anchors or strides that are none. */
  constructor(model: AnyModule, options: DecodedDetectorOptions = {}) {
    super();
    const { anchors = COCO_ANCHORS, strides = YOLOV5_STRIDES } = options;
    checkAnchors('decodedDetector', anchors, strides);
    this.anchors = anchors;
    this.strides = strides;
    this.model = model;
    this.training = model.training;
  }

  override forward(...inputs: Variable[]): readonly Variable[] {
    const output = this.model.call(...inputs);
    const maps = output instanceof Variable ? [output] : output;
    return this.training ? maps : [decodeMaps(maps, this.anchors, this.strides)];
  }
}

/**
 * A module that gives raw maps `[N, anchors, ny, nx, 5 + classes]`, as training wants them, made one that gives decoded boxes `[N, boxes, 5 + classes]` in evaluation mode, as `Detector` wants them. It shares
 * the module's parameters, which are called `model.…` in it, and takes over its mode.
 *
 * Throws ArgumentError for anchors or strides that are none; tracing throws ShapeError where the outputs are no such maps.
 */
export const decodedDetector = (model: AnyModule, options: DecodedDetectorOptions = {}): DecodedDetector =>
  new DecodedDetector(model, options);
