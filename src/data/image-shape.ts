import { ArgumentError, ShapeError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';

/** An image or a batch of images, as planes of height x width one after the other. */
export interface Planes {
  readonly data: Float32Array;
  readonly planes: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** The axes before height and width: [C] or [N, C]. */
  readonly outer: readonly number[];
}

/** Reads float32[C, H, W], or float32[N, C, H, W] where `batches`. Throws ShapeError, which names the caller, for any other tensor. */
export function planesOf(caller: string, input: Tensor, batches: boolean): Planes {
  const rank = input.shape.length;
  if (input.dtype !== 'float32' || !(rank === 3 || (batches && rank === 4))) {
    throw new ShapeError(
      `${caller}: expected float32[C, H, W]${batches ? ' or float32[N, C, H, W]' : ''}, got ${input}${input.dtype === 'uint8' ? '; put toFloat first' : ''}`,
    );
  }
  const outer = input.shape.slice(0, -2);
  const [height, width] = input.shape.slice(-2) as [number, number];
  const planes = outer.reduce((count, dim) => count * dim, 1);
  return { data: input.float32, planes, channels: outer.at(-1)!, height, width, outer };
}

/** A height and a width in pixels; a number stands for both. */
export type Size = number | readonly [height: number, width: number];

/** Height and width of a `Size`. Throws ArgumentError where one is no whole number above 0. */
export function sizeOfImage(caller: string, size: Size): readonly [height: number, width: number] {
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  for (const side of [height, width]) {
    if (!Number.isSafeInteger(side) || side < 1) {
      throw new ArgumentError(
        `${caller}: expected a size of whole numbers above 0, height first; got [${height}, ${width}]`,
      );
    }
  }
  return [height, width];
}
