import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { Conv2d, F, Module, ModuleList, type Variable } from '../nn/index.ts';

/** Widths and heights of the three anchors of each map, in pixels; fitted to COCO by Ultralytics. */
const ANCHORS = [
  [10, 13, 16, 30, 33, 23],
  [30, 61, 62, 45, 59, 119],
  [116, 90, 156, 198, 373, 326],
] as const;

/** Pixels of the image per cell of each map. */
const STRIDES = [8, 16, 32] as const;

const ANCHORS_PER_MAP = 3;

/**
 * YOLOv5's detection head: a 1x1 convolution for each of three maps. Gives the raw maps `[N, 3, ny, nx, 5 + classes]`, or, decoded, one variable
 * `[N, cells, 5 + classes]` of box centre x, y, width, height (pixels), objectness and class probabilities.
 */
export class Detect extends Module<readonly Variable[]> {
  readonly classes: number;
  /** Numbers per box: x, y, width, height, objectness, and one for each class. */
  readonly outputs: number;
  readonly strides: readonly number[] = STRIDES;
  /** Decode boxes in evaluation mode; in training maps are always raw. */
  decode: boolean;
  m: ModuleList<Conv2d>;

  constructor(classes: number, channels: readonly number[], decode: boolean) {
    super();
    this.classes = classes;
    this.outputs = classes + 5;
    this.decode = decode;
    // In cells, as Ultralytics stores them.
    const cells = ANCHORS.flatMap((sizes, map) => sizes.map((size) => size / STRIDES[map]!));
    this.registerBuffer(
      'anchors',
      new Tensor('float32', [ANCHORS.length, ANCHORS_PER_MAP, 2], Float32Array.from(cells)),
    );
    this.m = new ModuleList(channels.map((count) => new Conv2d(count, this.outputs * ANCHORS_PER_MAP, 1)));
    this.#initializeBiases();
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
      const objectness = Math.fround(Math.log(8 / (640 / STRIDES[map]!) ** 2));
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
      return y.view(batch, ANCHORS_PER_MAP, this.outputs, height, width).permute(0, 1, 3, 4, 2).contiguous();
    });
    if (this.training || !this.decode) return raw;
    return [
      F.cat(
        raw.map((map, index) => this.#decoded(map, index)),
        1,
      ),
    ];
  }

  /**
   * Boxes of one map: `xy = (2 σ(t) - 1/2 + cell) stride`, `wh = (2 σ(t))² anchor`, `[N, 3 H W, outputs]`.
   */
  #decoded(map: Variable, index: number): Variable {
    const { tracer } = map;
    const stride = STRIDES[index]!;
    const [batch] = map.shape;
    const [xyPart, whPart, rest] = F.sigmoid(map).split([2, 2, this.classes + 1], 4) as [
      Variable,
      Variable,
      Variable,
    ];
    const grid = tracer.constant(cellGrid(map.size(2), map.size(3)));
    const xy = xyPart.mul(2).sub(0.5).add(grid).mul(stride);
    const twice = whPart.mul(2);
    const wh = twice.mul(twice).mul(tracer.constant(this.#anchorsInPixels(index)));
    return F.cat([xy, wh, rest], 4).view(batch!, -1, this.outputs);
  }

  /** `[1, 3, 1, 1, 2]` */
  #anchorsInPixels(index: number): Tensor {
    const own = this.getBuffer('anchors').float32.subarray(
      index * ANCHORS_PER_MAP * 2,
      (index + 1) * ANCHORS_PER_MAP * 2,
    );
    return new Tensor(
      'float32',
      [1, ANCHORS_PER_MAP, 1, 1, 2],
      own.map((size) => size * STRIDES[index]!),
    );
  }
}

/** Column and row of each cell: `[1, 1, height, width, 2]`. */
function cellGrid(height: number, width: number): Tensor {
  const cells = new Float32Array(height * width * 2);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) cells.set([x, y], (y * width + x) * 2);
  }
  return new Tensor('float32', [1, 1, height, width, 2], cells);
}
