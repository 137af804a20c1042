import { ArgumentError } from '../../core/errors.ts';
import { Tensor } from '../../core/tensor.ts';
import { attr } from '../../ir/index.ts';
import type { Variable } from '../variable.ts';
import { expectSpatial, perAxis, type Sizes } from './operand.ts';
import { cat, narrow } from './shape.ts';

/** How an image is resampled. */
export interface InterpolateOptions {
  /** Height and width wanted; this or `scaleFactor`. */
  readonly size?: Sizes | null | undefined;
  /** Factors for height and width; this or `size`. */
  readonly scaleFactor?: Sizes | null | undefined;
  /** Default `nearest`. */
  readonly mode?: 'nearest' | 'bilinear' | 'bicubic';
  /** Put the outer pixels' centres on the corners; not with `nearest`; false by default. */
  readonly alignCorners?: boolean;
}

const RESIZE_MODES = { nearest: 'nearest', bilinear: 'linear', bicubic: 'cubic' } as const;

/** Resamples `[N, C, H, W]`. Throws ArgumentError unless exactly one of `size` and `scaleFactor` is given. */
export function interpolate(x: Variable, options: InterpolateOptions): Variable {
  const { mode = 'nearest', alignCorners = false } = options;
  const size = options.size ?? undefined;
  const scaleFactor = options.scaleFactor ?? undefined;
  expectSpatial('interpolate', x, 2);
  if ((size === undefined) === (scaleFactor === undefined))
    throw new ArgumentError('interpolate: either size or scaleFactor should be defined, and not both');
  if (!Object.hasOwn(RESIZE_MODES, mode))
    throw new ArgumentError(
      `interpolate: mode expects 'nearest', 'bilinear' or 'bicubic', got '${String(mode)}'`,
    );
  if (alignCorners && mode === 'nearest')
    throw new ArgumentError("interpolate: alignCorners goes with the modes 'bilinear' and 'bicubic' only");
  const coordinates = alignCorners ? 'align_corners' : mode === 'nearest' ? 'asymmetric' : 'half_pixel';
  const attributes = {
    coordinate_transformation_mode: attr.string(coordinates),
    mode: attr.string(RESIZE_MODES[mode]),
    // PyTorch's coefficient of Keys' cubic.
    cubic_coeff_a: attr.float(-0.75),
    nearest_mode: attr.string('floor'),
  };
  const { tracer } = x;
  if (size !== undefined) {
    const target = perAxis('interpolate', 'size', size, 2, 1);
    return tracer.op('Resize', [x, null, null, sizesLike(x, target)], { attributes });
  }
  const factors = typeof scaleFactor === 'number' ? [scaleFactor, scaleFactor] : [...(scaleFactor ?? [])];
  if (factors.length !== 2 || factors.some((factor) => !(factor > 0)))
    throw new ArgumentError(
      `interpolate: scaleFactor expects one or two numbers above 0, got [${factors.join(', ')}]`,
    );
  const scales = tracer.tensor(Tensor.of(Float32Array.of(1, 1, ...factors)));
  return tracer.op('Resize', [x, null, scales], { attributes });
}

/** `[N, C, height, width]` as a value; a symbolic batch is read from the input. */
function sizesLike(x: Variable, target: readonly number[]): Variable {
  const { tracer } = x;
  const outer = x.shape.slice(0, 2);
  if (outer.every((dim) => typeof dim === 'number')) return tracer.int64([...outer, ...target] as number[]);
  const own = tracer.op('Shape', [x], { attributes: { start: attr.int(0), end: attr.int(2) } });
  return tracer.op('Concat', [own, tracer.int64(target)], { attributes: { axis: attr.int(0) } });
}

/** How `pad` fills. */
export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular';

const PAD_MODES: Readonly<Record<PadMode, string>> = {
  constant: 'constant',
  reflect: 'reflect',
  replicate: 'edge',
  circular: 'wrap',
};

/**
 * Adds elements around the last axes, given as PyTorch does: `[left, right, top, bottom, …]`, the last axis first; negative numbers cut.
 * Throws ArgumentError where there are more numbers than axes, or an odd number.
 */
export function pad(
  x: Variable,
  padding: readonly number[],
  mode: PadMode = 'constant',
  value = 0,
): Variable {
  const rank = x.shape.length;
  if (padding.length % 2 !== 0 || padding.length > 2 * rank || !padding.every(Number.isSafeInteger))
    throw new ArgumentError(
      `pad: expects a pair of whole numbers for each of at most ${rank} axes, got [${padding.join(', ')}]`,
    );
  if (!Object.hasOwn(PAD_MODES, mode))
    throw new ArgumentError(`pad: mode expects ${Object.keys(PAD_MODES).join(', ')}, got '${String(mode)}'`);
  const begin = new Array<number>(rank).fill(0);
  const end = new Array<number>(rank).fill(0);
  for (let pair = 0; 2 * pair < padding.length; pair++) {
    begin[rank - 1 - pair] = padding[2 * pair]!;
    end[rank - 1 - pair] = padding[2 * pair + 1]!;
  }
  if (mode === 'circular') return wrapped(x, begin, end);
  const { tracer } = x;
  const filled = mode === 'constant' ? [tracer.scalar(value, x.dtype)] : [];
  return tracer.op('Pad', [x, tracer.int64([...begin, ...end]), ...filled], {
    attributes: { mode: attr.string(PAD_MODES[mode]) },
  });
}

/** The other end of each axis put in front and behind; composed, since ONNX's Pad has it from opset 19 on. */
function wrapped(x: Variable, begin: readonly number[], end: readonly number[]): Variable {
  return begin.reduce((padded, front, axis) => {
    const behind = end[axis]!;
    if (front === 0 && behind === 0) return padded;
    const size = padded.size(axis);
    if (front < 0 || behind < 0 || front > size || behind > size)
      throw new ArgumentError(
        `pad: circular padding expects numbers from 0 to ${size}, the size of axis ${axis}, got ${front} and ${behind}`,
      );
    const parts = [padded];
    if (front > 0) parts.unshift(narrow(padded, axis, size - front, front));
    if (behind > 0) parts.push(narrow(padded, axis, 0, behind));
    return cat(parts, axis);
  }, x);
}

/** `[N, C r², H, W]` to `[N, C, H r, W r]`: channels become blocks of pixels. */
export const pixelShuffle = (x: Variable, upscaleFactor: number): Variable =>
  x.tracer.op('DepthToSpace', [x], {
    attributes: {
      blocksize: attr.int(perAxis('pixelShuffle', 'upscaleFactor', upscaleFactor, 1, 1)[0]!),
      mode: attr.string('CRD'),
    },
  });
