import { ArgumentError, ShapeError, UnsupportedError } from '../core/errors.ts';
import { fromFloat32, toFloat32 } from '../core/float16.ts';
import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { type Size, sizeOfImage, toFloat } from '../data/index.ts';
import { Graph, printType, type Shape } from '../ir/index.ts';
import { type AnyModule, GraphModule, run } from '../nn/index.ts';
import { createSession, type Session } from '../runtime/index.ts';
import type { Detection } from './box.ts';
import { parseClassNames } from './class-names.ts';
import { type Letterboxed, letterbox, scaleBoxes } from './letterbox.ts';
import { type NmsOptions, nonMaxSuppression } from './non-max-suppression.ts';
import { pixelsOf } from './pixels.ts';
import { resizeInput } from './resize-input.ts';

/** Options of `Detector`. */
export interface DetectorOptions {
  /** Names of the classes; by default those in the metadata of an ONNX file. */
  readonly names?: readonly string[];
  /** Threads of the engine, for a graph; by default as many as the machine has. */
  readonly threads?: number;
  /** Most images that are run at once, where the model takes any number. Default 8. */
  readonly batchSize?: number;
}

/** Options of `Detector.detect`. */
export interface DetectOptions extends NmsOptions {
  /** What images are fitted into: [height, width], or one number for both, rounded up to the stride. By default what the model takes, or 640. */
  readonly size?: Size;
  /** Edges only up to the next multiple of the stride, where the model takes any size. Default false: a square. */
  readonly auto?: boolean;
}

/** How far from 0 to 1 rounding may bring a probability. */
const PROBABILITY_SLACK = 1e-2;

const STRIDE = 32;
const SIZE = 640;
const BATCH_SIZE = 8;

/** Compiled sizes that are kept: those of batches of like proportions come one after the other. */
const MOST_KEPT = 2;

/** `toFloat` does not draw. */
const NO_DRAWS = /* @__PURE__ */ new Generator(0);

/**
 * A YOLOv5, or any network with its inputs and outputs, that finds objects in images. The network takes float32 or float16 [N, 3, H, W], RGB from 0 to 1, and its first output of three axes is
 * [N, boxes, 5 + classes]: centre x, y, width, height in pixels of the input, objectness, probabilities of the classes.
 *
 * A graph is compiled once, when it first runs, with the weights it has then; a module is run as it is each time, so that changes show. Call `dispose` in the end.
 */
export class Detector {
  /** Names of the classes; null where neither the model nor the options say. */
  readonly names: readonly string[] | null;
  /** [height, width] that the model was made for; null where any will do. */
  readonly inputSize: readonly [height: number, width: number] | null;
  /** Images that are run at once. */
  readonly batchSize: number;
  /** Sizes of the input are multiples of this. */
  readonly stride: number;
  readonly #model: Graph | AnyModule;
  readonly #dtype: 'float32' | 'float16';
  readonly #threads: number | undefined;
  /** The model's own number of images; null where any will do. */
  readonly #batch: number | null;
  /** Compiled graphs by size of the input, the last used last. */
  readonly #sessions = new Map<string, Promise<Session>>();
  #takesAnySize: boolean | null = null;

  /** Throws ShapeError where a graph's input is not that of a detector, ArgumentError for a module in training mode. */
  constructor(model: Graph | AnyModule, options: DetectorOptions = {}) {
    const graph = model instanceof Graph ? model : model instanceof GraphModule ? model.graph : null;
    if (!(model instanceof Graph)) requireEvaluation(model);
    const { dtype, shape } = inputOf(graph);
    const [batch, , height, width] = shape;
    this.#model = model;
    this.#dtype = dtype;
    this.#threads = options.threads;
    this.inputSize = typeof height === 'number' && typeof width === 'number' ? [height, width] : null;
    this.#batch = typeof batch === 'number' ? batch : null;
    this.batchSize = this.#batch ?? options.batchSize ?? BATCH_SIZE;
    if (!Number.isSafeInteger(this.batchSize) || this.batchSize < 1) {
      throw new ArgumentError(
        `Detector: batchSize expects a whole number of at least 1, got ${this.batchSize}`,
      );
    }
    const metadata = graph?.meta.metadata;
    const named = metadata?.get('names');
    this.names = options.names ?? (named === undefined ? null : parseClassNames(named));
    const stride = Number(metadata?.get('stride'));
    this.stride = Number.isSafeInteger(stride) && stride > 0 ? stride : STRIDE;
  }

  /** True where images of any size can be run, multiples of the stride: the model leaves the size open, or is a graph that can be made for another. */
  get takesAnySize(): boolean {
    if (this.inputSize === null) return true;
    const [height, width] = this.inputSize;
    const { stride } = this;
    this.#takesAnySize ??=
      this.#model instanceof Graph && resizeInput(this.#model, height + stride, width + stride) !== null;
    return this.#takesAnySize;
  }

  /** Name of a class, or its number. */
  nameOf(label: number): string {
    return this.names?.[label] ?? String(label);
  }

  /**
   * [height, width] that images are fitted into when `size` is asked for: rounded up to the stride. Throws ArgumentError for a size that is none, or another than the only one that the model takes.
   */
  sizeFor(size?: Size): readonly [height: number, width: number] {
    if (size === undefined) return this.inputSize ?? [SIZE, SIZE];
    const asked = sizeOfImage('Detector', size);
    const up = (side: number): number => Math.ceil(side / this.stride) * this.stride;
    const [height, width] = [up(asked[0]), up(asked[1])];
    const only = this.inputSize;
    if (only !== null && (only[0] !== height || only[1] !== width) && !this.takesAnySize) {
      throw new ArgumentError(
        `Detector: the model takes images of ${only.join(' x ')}, and no other size; asked for ${asked.join(' x ')}`,
      );
    }
    return [height, width];
  }

  /**
   * What the network gives for images that were made to one size: float32[N, boxes, 5 + classes].
   *
   * @param images uint8[height, width, 3] each (RGB).
   *
   * Throws ShapeError where sizes differ, UnsupportedError where the outputs are not those of a detector, ArgumentError where there are other classes than names, EngineError where the engine fails.
   */
  async predict(images: readonly Tensor[]): Promise<Tensor> {
    const first = images[0];
    if (first === undefined) throw new ArgumentError('Detector: expected at least one image');
    const { height, width } = pixelsOf('Detector', first);
    const other = images.find((image) => `${image}` !== `${first}`);
    if (other !== undefined) {
      throw new ShapeError(`Detector: expected images of one size in a batch, got ${first} and ${other}`);
    }
    const parts: Tensor[] = [];
    for (let start = 0; start < images.length; start += this.batchSize) {
      const some = images.slice(start, start + this.batchSize);
      // A model of a fixed number of images gets black ones for those that are missing.
      const most = this.#batch ?? some.length;
      const batch = new Float32Array(most * 3 * height * width);
      some.forEach((image, index) => {
        batch.set(toFloat()(image, NO_DRAWS).float32, index * 3 * height * width);
      });
      const output = await this.#run(new Tensor('float32', [most, 3, height, width], batch));
      parts.push(rows(this.#checked(output), some.length));
    }
    return parts.length === 1 ? parts[0]! : joined(parts);
  }

  /**
   * Finds objects in images: fits them into the size, runs the network, drops what overlaps, and gives boxes in the pixels of each image, the most confident first. Sources: YOLOv5's detect.py, and `NmsOptions`.
   *
   * @param images uint8[height, width, 3] each (RGB), of any sizes.
   *
   * Throws as `predict`, `sizeFor` and `nonMaxSuppression`.
   */
  async detect(images: readonly Tensor[], options: DetectOptions = {}): Promise<Detection[][]> {
    const size = this.sizeFor(options.size);
    const auto = this.inputSize === null && (options.auto ?? false);
    const found: Detection[][] = [];
    for (let start = 0; start < images.length; ) {
      const batch: { image: Tensor; boxed: Letterboxed }[] = [];
      // As many in a row as come out in one size.
      for (const image of images.slice(start, start + this.batchSize)) {
        const boxed = letterbox(image, { size, auto, stride: this.stride });
        if (batch.length > 0 && `${batch[0]!.boxed.image}` !== `${boxed.image}`) break;
        batch.push({ image, boxed });
      }
      const prediction = await this.predict(batch.map(({ boxed }) => boxed.image));
      nonMaxSuppression(prediction, options).forEach((detections, index) => {
        const { image, boxed } = batch[index]!;
        const to = pixelsOf('Detector', image);
        // detect.py puts the image into the middle to the fraction of a pixel, val.py where it lies.
        const boxes = scaleBoxes(
          detections.map(({ box }) => box),
          pixelsOf('Detector', boxed.image),
          to,
        );
        found.push(detections.map((detection, place) => ({ ...detection, box: boxes[place]! })));
      });
      start += batch.length;
    }
    return found;
  }

  /** Frees the engine's memory of a graph; it is compiled again where it runs afterwards. */
  async dispose(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of sessions) await (await session.catch(() => null))?.dispose();
  }

  async #run(input: Tensor): Promise<readonly Tensor[]> {
    const cast = this.#dtype === 'float32' ? input : fromFloat32(input, this.#dtype);
    if (!(this.#model instanceof Graph)) {
      requireEvaluation(this.#model);
      const output: Tensor | readonly Tensor[] = await run(this.#model, cast);
      return output instanceof Tensor ? [output] : output;
    }
    const [, , height = 0, width = 0] = input.shape;
    const session = await this.#compiled(this.#model, height, width);
    const results = await session.run({ [session.inputs[0]!.name]: cast });
    return session.outputs.map((name) => results.get(name)!);
  }

  async #compiled(graph: Graph, height: number, width: number): Promise<Session> {
    const only = this.inputSize;
    const isOther = only !== null && (only[0] !== height || only[1] !== width);
    const key = only === null ? 'any' : `${height}x${width}`;
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    const fitting = isOther ? resizeInput(graph, height, width) : graph;
    if (fitting === null) {
      throw new ShapeError(
        `Detector: the model takes images of ${only?.join(' x ')}, and no other size; got ${height} x ${width}`,
      );
    }
    const session = createSession(fitting, this.#threads === undefined ? {} : { threads: this.#threads });
    this.#sessions.set(key, session);
    // The engine's own error comes out of what is awaited below.
    session.catch(() => this.#sessions.delete(key));
    for (const [old, compiled] of [...this.#sessions].slice(0, -MOST_KEPT)) {
      this.#sessions.delete(old);
      await (await compiled.catch(() => null))?.dispose();
    }
    return session;
  }

  /** The decoded boxes among the outputs, in float32. */
  #checked(outputs: readonly Tensor[]): Tensor {
    const boxes = outputs.find(({ shape }) => shape.length === 3);
    const told = outputs.map(String).join(', ');
    if (boxes === undefined) {
      const isRaw = outputs.length > 0 && outputs.every(({ shape }) => shape.length === 5);
      throw new UnsupportedError(
        `Detector: expected decoded boxes [N, boxes, 5 + classes], got ${told}${isRaw ? '; the maps are raw: set `decode` of the Yolov5, or export with decoded boxes' : ''}`,
      );
    }
    const [, middle = 0, numbers = 0] = boxes.shape;
    const known = this.names?.length;
    if (known !== undefined && numbers !== known + 5) {
      if (middle === known + 4 && numbers > middle) {
        throw new UnsupportedError(
          `Detector: the output ${told} is that of a YOLOv8 or newer, [N, 4 + classes, boxes]; expected a YOLOv5's [N, boxes, 5 + classes]`,
        );
      }
      throw new ArgumentError(
        `Detector: there are names of ${known} classes; the output ${told} has ${Math.max(0, numbers - 5)}`,
      );
    }
    if (numbers < 6) {
      throw new UnsupportedError(`Detector: expected decoded boxes [N, boxes, 5 + classes], got ${told}`);
    }
    const floats = boxes.dtype === 'float32' ? boxes : toFloat32(boxes);
    for (let at = 4; at < floats.size; at += numbers) {
      const objectness = floats.float32[at]!;
      // Not a number is none of what another layout gives: training went wrong.
      if (!(objectness < -PROBABILITY_SLACK || objectness > 1 + PROBABILITY_SLACK)) continue;
      throw new UnsupportedError(
        `Detector: the output ${told} has ${objectness} for the objectness of a box, which is no probability; expected decoded boxes [N, boxes, 5 + classes], as a YOLOv5 gives them (a YOLOv8 or newer gives [N, 4 + classes, boxes])`,
      );
    }
    return floats;
  }
}

function requireEvaluation(module: AnyModule): void {
  if (!module.training) return;
  throw new ArgumentError('Detector: the module is in training mode; call `eval()` first');
}

/** Dtype and shape of the only input; of a module that is no graph they are open. */
function inputOf(graph: Graph | null): { dtype: 'float32' | 'float16'; shape: Shape } {
  const open = { dtype: 'float32', shape: [null, 3, null, null] } as const;
  if (graph === null) return open;
  const [input, ...others] = graph.feeds;
  const type = input?.type?.kind === 'tensor' ? input.type : null;
  const { dtype = null, shape = null } = type ?? {};
  const isImage =
    input !== undefined &&
    others.length === 0 &&
    (dtype === null || dtype === 'float32' || dtype === 'float16') &&
    (shape === null || (shape.length === 4 && (typeof shape[1] !== 'number' || shape[1] === 3)));
  if (!isImage) {
    const told = graph.feeds
      .map(({ name, type: own }) => `'${name}' ${own ? printType(own) : '?'}`)
      .join(', ');
    throw new ShapeError(
      `Detector: expected a model of one input float32[N, 3, H, W]; its inputs are ${told || 'none'}`,
    );
  }
  return { dtype: dtype ?? 'float32', shape: shape ?? open.shape };
}

/** The first images of a batch. */
function rows(output: Tensor, count: number): Tensor {
  const [batch = 0, ...rest] = output.shape;
  if (batch === count) return output;
  const each = output.size / batch;
  return new Tensor('float32', [count, ...rest], output.float32.subarray(0, count * each));
}

function joined(parts: readonly Tensor[]): Tensor {
  const [, ...rest] = parts[0]!.shape;
  const data = new Float32Array(parts.reduce((sum, { size }) => sum + size, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.float32, at);
    at += part.size;
  }
  return new Tensor('float32', [parts.reduce((sum, { shape }) => sum + shape[0]!, 0), ...rest], data);
}
