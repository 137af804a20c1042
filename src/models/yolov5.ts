import { ArgumentError } from '../core/errors.ts';
import { type AnyModule, Module, Sequential, Upsample, Variable } from '../nn/index.ts';
import { type Anchors, COCO_ANCHORS } from './yolov5-anchors.ts';
import { C3, Concat, Conv, Focus, SPP, SPPF } from './yolov5-blocks.ts';
import { Detect, type DetectOptions } from './yolov5-detect.ts';

/** Sizes of YOLOv5: nano, small, medium, large, extra large. */
export type Yolov5Size = 'n' | 's' | 'm' | 'l' | 'x';

/** Versions of the architecture: 5 is that of v4.0 and v5.0, 6 that of v6.0 to v7.0. */
export type Yolov5Version = 5 | 6;

/** Factors by which a size changes the number of bottlenecks (depth) and channels (width). */
const SIZES: Readonly<Record<Yolov5Size, { readonly depth: number; readonly width: number }>> = {
  n: { depth: 0.33, width: 0.25 },
  s: { depth: 0.33, width: 0.5 },
  m: { depth: 0.67, width: 0.75 },
  l: { depth: 1, width: 1 },
  x: { depth: 1.33, width: 1.25 },
};

/** One layer: where its inputs come from (-1: the layer before), what it is, and its arguments before a size changes them. */
type Row =
  | {
      readonly from: number;
      readonly conv: readonly [channels: number, kernel: number, stride: number, padding?: number];
    }
  | {
      readonly from: number;
      readonly c3: readonly [channels: number, bottlenecks: number, shortcut: boolean];
    }
  | { readonly from: number; readonly sppf: readonly [channels: number, kernel: number] }
  | { readonly from: number; readonly spp: readonly [channels: number, kernels: readonly number[]] }
  | { readonly from: number; readonly focus: readonly [channels: number, kernel: number] }
  | { readonly from: number; readonly upsample: number }
  | { readonly from: readonly number[]; readonly concat: true }
  | { readonly from: readonly number[]; readonly detect: true };

/** Head: joins maps downwards and upwards again (rows 10 to 24). */
const HEAD: readonly Row[] = [
  { from: -1, conv: [512, 1, 1] },
  { from: -1, upsample: 2 },
  { from: [-1, 6], concat: true },
  { from: -1, c3: [512, 3, false] },
  { from: -1, conv: [256, 1, 1] },
  { from: -1, upsample: 2 },
  { from: [-1, 4], concat: true },
  { from: -1, c3: [256, 3, false] },
  { from: -1, conv: [256, 3, 2] },
  { from: [-1, 14], concat: true },
  { from: -1, c3: [512, 3, false] },
  { from: -1, conv: [512, 3, 2] },
  { from: [-1, 10], concat: true },
  { from: -1, c3: [1024, 3, false] },
  { from: [17, 20, 23], detect: true },
];

/**
 * Versions of the architecture by the release that brought them; rows 0 to 9 are the backbone of cross-stage partial blocks. v6.0 replaced v5.0's `Focus` by a convolution, put the pyramid pooling last, and made that and one row of
 * blocks smaller; v6.1 to v7.0 changed nothing.
 */
const ROWS: Readonly<Record<Yolov5Version, readonly Row[]>> = {
  5: [
    { from: -1, focus: [64, 3] },
    { from: -1, conv: [128, 3, 2] },
    { from: -1, c3: [128, 3, true] },
    { from: -1, conv: [256, 3, 2] },
    { from: -1, c3: [256, 9, true] },
    { from: -1, conv: [512, 3, 2] },
    { from: -1, c3: [512, 9, true] },
    { from: -1, conv: [1024, 3, 2] },
    { from: -1, spp: [1024, [5, 9, 13]] },
    { from: -1, c3: [1024, 3, false] },
    ...HEAD,
  ],
  6: [
    { from: -1, conv: [64, 6, 2, 2] },
    { from: -1, conv: [128, 3, 2] },
    { from: -1, c3: [128, 3, true] },
    { from: -1, conv: [256, 3, 2] },
    { from: -1, c3: [256, 6, true] },
    { from: -1, conv: [512, 3, 2] },
    { from: -1, c3: [512, 9, true] },
    { from: -1, conv: [1024, 3, 2] },
    { from: -1, c3: [1024, 3, true] },
    { from: -1, sppf: [1024, 5] },
    ...HEAD,
  ],
};

/** Options of `Yolov5`. */
export interface Yolov5Options {
  /** Number of classes; default 80, COCO's. */
  readonly classes?: number;
  /** Decode boxes in evaluation mode, as Ultralytics' exports do; default false: three raw maps. */
  readonly decode?: boolean;
  /** 5 for the architecture of v5.0, 6 for that of v6.0 to v7.0; default 6. */
  readonly version?: Yolov5Version;
  /** Three anchors for each map, in pixels; default COCO's. */
  readonly anchors?: Anchors;
}

/**
 * YOLOv5, with Ultralytics' state-dict names (`model.0.conv.weight`, …, `model.24.m.2.bias`).
 *
 * Takes `[N, 3, H, W]` with H and W multiples of 32. Gives three raw maps `[N, 3, H/8, W/8, 5 + classes]`, `[…, H/16, W/16, …]`, `[…, H/32, W/32, …]`; with
 * `decode`, in evaluation mode, one variable `[N, boxes, 5 + classes]` (25,200 boxes at 640 x 640), see `Detect`.
 */
export class Yolov5 extends Module<readonly Variable[]> {
  readonly size: Yolov5Size;
  readonly version: Yolov5Version;
  readonly classes: number;
  model: Sequential;

  /** Throws ArgumentError for an unknown size or version, a number of classes that is none, and anchors that do not fit. */
  constructor(size: Yolov5Size, options: Yolov5Options = {}) {
    super();
    const { classes = 80, decode = false, version = 6, anchors = COCO_ANCHORS } = options;
    if (!Object.hasOwn(SIZES, size)) {
      throw new ArgumentError(`Yolov5: expects a size of ${Object.keys(SIZES).join(', ')}, got '${size}'`);
    }
    if (!Object.hasOwn(ROWS, version)) {
      throw new ArgumentError(`Yolov5: expects version 5 (v5.0) or 6 (v6.0 to v7.0), got ${String(version)}`);
    }
    if (!Number.isInteger(classes) || classes < 1) {
      throw new ArgumentError(`Yolov5: classes expects a whole number of at least 1, got ${classes}`);
    }
    this.size = size;
    this.version = version;
    this.classes = classes;
    this.model = new Sequential();
    const channels: number[] = [];
    ROWS[version].forEach((row, index) => {
      const built = build(row, channels, SIZES[size], { classes, anchors, decode });
      this.model.registerModule(String(index), built.module);
      channels.push(built.channels);
    });
  }

  /** The detection head. */
  get detect(): Detect {
    const last = [...this.model.children()].at(-1);
    if (last instanceof Detect) return last;
    throw new ArgumentError(`Yolov5: the last layer is a ${last?.typeName}; expected Detect`);
  }

  /** Decode boxes in evaluation mode. */
  get decode(): boolean {
    return this.detect.decode;
  }

  set decode(value: boolean) {
    this.detect.decode = value;
  }

  override forward(image: Variable): readonly Variable[] {
    const outputs: Variable[] = [];
    let last: readonly Variable[] = [image];
    const rows = ROWS[this.version];
    let index = 0;
    for (const layer of this.model.children()) {
      const { from } = rows[index++]!;
      const inputs = (typeof from === 'number' ? [from] : from).map((place) => {
        const input = place === -1 ? last[0] : outputs[place];
        if (input) return input;
        throw new ArgumentError(`Yolov5: layer ${index - 1} reads layer ${place}, which gave nothing`);
      });
      const output = layer.call(...inputs);
      last = output instanceof Variable ? [output] : output;
      if (last[0]) outputs.push(last[0]);
    }
    return last;
  }
}

/** YOLOv5 of a size: `yolov5('s', { classes: 3 })`. */
export const yolov5 = (size: Yolov5Size, options: Yolov5Options = {}): Yolov5 => new Yolov5(size, options);

/** Channels of a width, rounded up to a multiple of 8. */
const widened = (channels: number, width: number): number => Math.ceil((channels * width) / 8) * 8;

function build(
  row: Row,
  channels: readonly number[],
  { depth, width }: { readonly depth: number; readonly width: number },
  head: Omit<DetectOptions, 'channels'>,
): { module: AnyModule; channels: number } {
  const at = (place: number): number => (place === -1 ? (channels.at(-1) ?? 3) : channels[place]!);
  if ('concat' in row) {
    return { module: new Concat(), channels: row.from.reduce((sum, place) => sum + at(place), 0) };
  }
  if ('detect' in row) {
    return { module: new Detect({ ...head, channels: row.from.map(at) }), channels: 0 };
  }
  const input = at(row.from);
  if ('upsample' in row) {
    return { module: new Upsample({ scaleFactor: row.upsample, mode: 'nearest' }), channels: input };
  }
  if ('sppf' in row) {
    const [count, kernel] = row.sppf;
    const output = widened(count, width);
    return { module: new SPPF(input, output, kernel), channels: output };
  }
  if ('spp' in row) {
    const [count, kernels] = row.spp;
    const output = widened(count, width);
    return { module: new SPP(input, output, kernels), channels: output };
  }
  if ('focus' in row) {
    const [count, kernel] = row.focus;
    const output = widened(count, width);
    return { module: new Focus(input, output, kernel), channels: output };
  }
  if ('c3' in row) {
    const [count, bottlenecks, shortcut] = row.c3;
    const output = widened(count, width);
    const repeats = Math.max(Math.round(bottlenecks * depth), 1);
    return { module: new C3(input, output, repeats, shortcut), channels: output };
  }
  const [count, kernel, stride, padding] = row.conv;
  const output = widened(count, width);
  return { module: new Conv(input, output, kernel, stride, padding), channels: output };
}
