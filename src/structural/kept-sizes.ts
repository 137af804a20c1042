import { StructuralError } from '../core/errors.ts';
import { staticShape, type Value } from '../ir/index.ts';
import { type Bundle, bundleSizes } from '../ops/index.ts';
import type { Coupling, PartedAxis } from './coupling.ts';

/** For each label 1 where it stays. A loop: maps flattened with their channels carry a label for each pixel. */
export function flagsOf(labels: Int32Array, kept: Uint8Array): Uint8Array {
  const flags = new Uint8Array(labels.length);
  for (let at = 0; at < labels.length; at++) flags[at] = kept[labels[at]!]!;
  return flags;
}

/** Sizes that a bundle's axes have when only some labels stay (1 in `kept`). Throws StructuralError where what stays is no rectangle. */
export function keptSizes(bundle: Bundle, shape: readonly number[], kept: Uint8Array): readonly number[] {
  const before = bundleSizes(bundle, shape);
  const sizes = new Array<number>(before.length);
  // From the last axis on: how many of a row stay, then which rows do.
  let stays = flagsOf(bundle.labels, kept);
  for (let place = before.length - 1; place > 0; place--) {
    const length = before[place]!;
    const rows = new Uint8Array(stays.length / length);
    let common = 0;
    for (let row = 0; row < rows.length; row++) {
      let count = 0;
      for (let at = row * length; at < (row + 1) * length; at++) count += stays[at]!;
      if (count === 0) continue;
      rows[row] = 1;
      if (common !== 0 && common !== count)
        throw new StructuralError(
          `of the rows of a ${before.join(' x ')} matrix of channels different numbers stay: ${common} and ${count}; choose channels by lanes`,
        );
      common = count;
    }
    sizes[place] = common;
    stays = rows;
  }
  sizes[0] = stays.reduce((sum, one) => sum + one, 0);
  return sizes;
}

/** For each part of an axis that differs part by part, the positions that stay; parts that go whole take those of another. */
export function keptParts({ labels, parts }: PartedAxis, kept: Uint8Array): readonly (readonly number[])[] {
  const length = labels.length / parts;
  const positions = Array.from({ length: parts }, (_, part) => {
    const stay: number[] = [];
    for (let at = 0; at < length; at++) if (kept[labels[part * length + at]!] === 1) stay.push(at);
    return stay;
  });
  const alive = positions.find((own) => own.length > 0) ?? [];
  if (positions.some((own) => own.length > 0 && own.length !== alive.length))
    throw new StructuralError(
      `groups of a convolution would keep different numbers of channels (${positions.map((own) => own.length).join(', ')}); choose channels by lanes`,
    );
  return positions.map((own) => (own.length > 0 ? own : alive));
}

/** Sizes of every value of a graph when only some labels stay, where its sizes are known. */
export class KeptShapes {
  readonly #coupling: Coupling;
  readonly #kept: Uint8Array;
  readonly #parted: ReadonlyMap<Value, PartedAxis>;
  /** Bundles that are handed on are counted once. */
  readonly #sizes = new Map<Bundle, readonly number[]>();

  constructor(coupling: Coupling, kept: Uint8Array) {
    this.#coupling = coupling;
    this.#kept = kept;
    this.#parted = new Map(coupling.partedAxes.map((parted) => [parted.value, parted] as const));
  }

  /** Sizes before; null where they are not known. */
  before(value: Value): readonly number[] | null {
    return staticShape(this.#coupling.inference.get(value)?.shape);
  }

  /** Sizes after; null where they are not known. */
  after(value: Value): readonly number[] | null {
    const before = this.before(value);
    if (!before) return null;
    const channels = this.#coupling.channels(value);
    const parted = this.#parted.get(value);
    if (channels.length === 0 && !parted) return before;
    const result = [...before];
    for (const bundle of channels) {
      let sizes = this.#sizes.get(bundle);
      if (!sizes) {
        sizes = keptSizes(bundle, before, this.#kept);
        this.#sizes.set(bundle, sizes);
      }
      bundle.axes.forEach((axis, place) => {
        result[axis] = sizes[place]!;
      });
    }
    if (parted) result[parted.axis] = keptParts(parted, this.#kept)[0]!.length;
    return result;
  }
}
