import { dtypeInfo } from '../core/dtype.ts';
import { sizeOf, stridesOf } from '../core/tensor.ts';
import type { Value } from '../ir/index.ts';
import { createSession, randomInputs } from '../runtime/index.ts';
import type { ChannelView } from './channel-view.ts';
import { type Reals, realsOf } from './importance/axis-sums.ts';

/** What a constant channel holds: `zero` and `uniform` the same number everywhere, `placed` another from place to place; `varies`: it is not constant after all. */
export type ChannelContent =
  | { readonly kind: 'zero' }
  | { readonly kind: 'uniform'; readonly value: number }
  | { readonly kind: 'placed' }
  | { readonly kind: 'varies' };

/** Seeds of the two inputs that are compared. */
const SEEDS = [11, 12] as const;

/** Share of a channel's magnitude up to which two numbers are the same: kernels of an engine round differently at borders. */
const SAME = 1e-6;

/** Reads off what constant channels hold, by running the model on two random inputs. */
export class ObservedChannels {
  readonly #view: ChannelView;
  readonly #threads: number | undefined;
  readonly #tensors = new Map<Value, readonly [Reals, Reals] | null>();
  readonly #shapes = new Map<Value, readonly number[]>();
  readonly #found = new Map<Value, Map<number, ChannelContent>>();

  constructor(view: ChannelView, threads?: number) {
    this.#view = view;
    this.#threads = threads;
  }

  /** Makes values known that are to be asked for. Throws EngineError where onnxruntime refuses the model. */
  async observe(values: Iterable<Value>): Promise<void> {
    const { graph, shapes } = this.#view.coupling;
    const taps = [...new Set(values)].filter((value) => !this.#tensors.has(value));
    if (taps.length === 0) return;
    const session = await createSession(graph, {
      taps,
      ...(this.#threads === undefined ? {} : { threads: this.#threads }),
    });
    try {
      const [a, b] = [
        await session.run(randomInputs(graph, { shapes, seed: SEEDS[0] })),
        await session.run(randomInputs(graph, { shapes, seed: SEEDS[1] })),
      ];
      for (const value of taps) {
        const [one, two] = [a.get(value.name)!, b.get(value.name)!];
        const isFloat = dtypeInfo(one.dtype).kind === 'float' && `${one}` === `${two}`;
        this.#tensors.set(value, isFloat ? [realsOf(one), realsOf(two)] : null);
        this.#shapes.set(value, one.shape);
      }
    } finally {
      await session.dispose();
    }
  }

  /** What a channel of an observed value holds, at all places where its root stands. Null where the value was not observed. */
  content(value: Value, root: number): ChannelContent | null {
    const tensors = this.#tensors.get(value);
    if (tensors === undefined) return null;
    let found = this.#found.get(value);
    if (!found) {
      found = tensors ? this.#contents(value, tensors) : new Map();
      this.#found.set(value, found);
    }
    return found.get(root) ?? { kind: 'varies' };
  }

  #contents(value: Value, [a, b]: readonly [Reals, Reals]): Map<number, ChannelContent> {
    const bundle = this.#view.bundle(value)!;
    const { find } = this.#view.coupling;
    const places = placesOf(this.#shapes.get(value)!, bundle.axes);
    const ranges = new Map<number, Range>();
    places.forEach((place, at) => {
      const root = find(bundle.labels[place]!);
      let range = ranges.get(root);
      if (!range) {
        range = { low: Number.POSITIVE_INFINITY, high: Number.NEGATIVE_INFINITY, apart: 0 };
        ranges.set(root, range);
      }
      range.low = Math.min(range.low, a[at]!);
      range.high = Math.max(range.high, a[at]!);
      range.apart = Math.max(range.apart, Math.abs(a[at]! - b[at]!));
    });
    return new Map([...ranges].map(([root, range]) => [root, contentOf(range)]));
  }
}

/** Numbers of a channel: the least, the greatest, and how far two runs are apart. */
interface Range {
  low: number;
  high: number;
  apart: number;
}

function contentOf({ low, high, apart }: Range): ChannelContent {
  const scale = Math.max(Math.abs(low), Math.abs(high));
  if (scale === 0 && apart === 0) return { kind: 'zero' };
  // NaN compares as false.
  if (!(apart <= SAME * scale)) return { kind: 'varies' };
  return high - low <= SAME * scale ? { kind: 'uniform', value: (low + high) / 2 } : { kind: 'placed' };
}

/** For each element of a tensor, in order, its place in a bundle over some of the axes. */
export function placesOf(shape: readonly number[], axes: readonly number[]): Int32Array {
  const sizes = axes.map((axis) => shape[axis]!);
  const own = stridesOf(sizes);
  const steps = shape.map((_, axis) => (axes.includes(axis) ? own[axes.indexOf(axis)]! : 0));
  const places = new Int32Array(sizeOf(shape));
  const index = new Array<number>(shape.length).fill(0);
  let place = 0;
  for (let at = 0; at < places.length; at++) {
    places[at] = place;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += steps[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      place -= steps[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return places;
}
