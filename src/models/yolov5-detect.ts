import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { Conv2d, Module, ModuleList, type Variable } from '../nn/index.ts';
import { type Anchors, checkAnchors, YOLOV5_STRIDES } from './yolov5-anchors.ts';
import { decodeMaps } from './yolov5-decode.ts';

/** What a detection head is made of. */
export interface DetectOptions {
  readonly classes: number;
  /** Channels of each map that is read. */
  readonly channels: readonly number[];
  readonly anchors: Anchors;
  /** Pixels of the image per cell of each map; default 8, 16, 32. */
  readonly strides?: readonly number[];
  readonly decode: boolean;
}

/**
 * YOLOv5's detection head: a 1x1 convolution for each of three maps. Gives the raw maps `[N, 3, ny, nx, 5 + classes]`, or, decoded, one variable
 * `[N, boxes, 5 + classes]` of box centre x, y, width, height (pixels), objectness and class probabilities.
 */
export class Detect extends Module<readonly Variable[]> {
  readonly classes: number;
  /** Numbers per box: x, y, width, height, objectness, and one for each class. */
  readonly outputs: number;
  /** Pixels of the image per cell of each map. */
  readonly strides: readonly number[];
  /** Decode boxes in evaluation mode; in training maps are always raw. */
  decode: boolean;
  m: ModuleList<Conv2d>;

  /** Throws ArgumentError for anchors that are none. */
  constructor({ classes, channels, anchors, strides = YOLOV5_STRIDES, decode }: DetectOptions) {
    super();
    checkAnchors('Detect', anchors, strides);
    this.strides = strides;
    this.classes = classes;
    this.outputs = classes + 5;
    this.decode = decode;
    const perMap = anchors[0]!.length / 2;
    // In cells, as Ultralytics stores them.
    const cells = anchors.flatMap((sizes, map) => sizes.map((size) => size / this.strides[map]!));
    this.registerBuffer(
      'anchors',
      new Tensor('float32', [anchors.length, perMap, 2], Float32Array.from(cells)),
    );
    this.m = new ModuleList(channels.map((count) => new Conv2d(count, this.outputs * perMap, 1)));
    this.#initializeBiases();
  }

  /** In pixels, as the buffer has them now: state dicts bring their own. */
  get anchors(): Anchors {
    const buffer = this.getBuffer('anchors');
    const perMap = buffer.size / this.strides.length;
    return this.strides.map((stride, map) =>
      Array.from(buffer.float32.subarray(map * perMap, (map + 1) * perMap), (size) => size * stride),
    );
  }

  /** Puts others into the buffer. Throws ArgumentError where they do not fit the maps. */
  set anchors(anchors: Anchors) {
    checkAnchors('Detect', anchors, this.strides);
    const buffer = this.getBuffer('anchors');
    const cells = anchors.flatMap((sizes, map) => sizes.map((size) => size / this.strides[map]!));
    if (cells.length !== buffer.size) {
      throw new ArgumentError(
        `Detect: expects ${buffer.size / 2} anchors, as many as its convolutions were made for, got ${cells.length / 2}`,
      );
    }
    buffer.setData(Float32Array.from(cells));
  }

  /**
   * Biases such that training starts from sane confidences: objectness from 8 objects an image of 640 pixels, classes from 0.6 among all.
   * Both are added to the biases drawn, in float32.
   */
  #initializeBiases(): void {
    const classBias = Math.fround(Math.log(0.6 / (this.classes - 0.99)));
    [...this.m].forEach((conv, map) => {
      const bias = conv.bias?.data.float32;
      if (!bias) return;
      const objectness = Math.fround(Math.log(8 / (640 / this.strides[map]!) ** 2));
      bias.forEach((value, index) => {
        const place = index % this.outputs;
        if (place === 4) bias[index] = value + objectness;
        else if (place > 4) bias[index] = value + classBias;
      });
    });
  }

  override forward(...maps: Variable[]): readonly Variable[] {
    const raw = maps.map((map, index) => {
      const y = this.m.at(index).call(map);
      const [batch, , height, width] = y.shape;
      if (batch === undefined || height === undefined || width === undefined) {
        throw new ArgumentError(`Detect: expects maps [N, C, H, W], got [${map.shape.join(', ')}]`);
      }
      // Anchors and box numbers apart, the latter last: [N, 3, H, W, outputs].
      const { shape: anchors } = this.getBuffer('anchors');
      return y.view(batch, anchors[1]!, this.outputs, height, width).permute(0, 1, 3, 4, 2).contiguous();
    });
    return this.training || !this.decode ? raw : [decodeMaps(raw, this.anchors, this.strides)];
  }
}
