import { Tensor } from '../core/tensor.ts';
import { type Attribute, attr, type Graph, type Value } from '../ir/index.ts';
import { type Bundle, bundleSizes, type Channels } from '../ops/index.ts';
import { flagsOf, keptSizes } from './kept-sizes.ts';

/** The bundles of which something goes. */
export const touched = (channels: Channels, kept: Uint8Array): Channels =>
  channels.filter(({ labels }) => labels.some((label) => kept[label] === 0));

/** Writes nodes that pick what stays of a value, and that put it back in its places. Sizes of axes without labels may be open. */
export class Compactor {
  readonly #graph: Graph;
  readonly #kept: Uint8Array;

  /** @param kept for each label 1 where it stays */
  constructor(graph: Graph, kept: Uint8Array) {
    this.#graph = graph;
    this.#kept = kept;
  }

  /** The value as the cut graph has it: of every bundle what stays, in its order. Throws StructuralError where what stays is no rectangle. */
  compact(value: Value, channels: Channels, shape: readonly number[]): Value {
    let current = value;
    for (const bundle of channels) {
      const flags = flagsOf(bundle.labels, this.#kept);
      if (!flags.includes(0)) continue;
      const left = keptSizes(bundle, shape, this.#kept);
      const places: number[] = [];
      for (let place = 0; place < flags.length; place++) if (flags[place] === 1) places.push(place);
      current = this.#gather(current, bundle, shape.length, places, left);
    }
    return current;
  }

  /**
   * The other way: a value of the cut graph's sizes, with each element in the place it has in the original; what stands in the places of removed channels is of no meaning.
   */
  spread(value: Value, channels: Channels, shape: readonly number[]): Value {
    let current = value;
    for (const bundle of channels) {
      const flags = flagsOf(bundle.labels, this.#kept);
      if (!flags.includes(0)) continue;
      let next = 0;
      const places = Array.from(flags, (flag) => (flag === 1 ? next++ : 0));
      current = this.#gather(current, bundle, shape.length, places, bundleSizes(bundle, shape));
    }
    return current;
  }

  /** Picks along the axes of a bundle, seen as one axis in the bundle's own order, and gives them these sizes then. */
  #gather(
    value: Value,
    { axes }: Bundle,
    rank: number,
    places: readonly number[],
    sizes: readonly number[],
  ): Value {
    const [only] = axes;
    if (axes.length === 1) return this.#op('Gather', [value, this.#ints(places)], { axis: attr.int(only!) });
    const others = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !axes.includes(axis));
    const order = [...others, ...axes];
    // In a target shape 0 copies the size at its place: what is not in the bundle may be of any size.
    const copied = others.map(() => 0);
    const turned = this.#transpose(value, order);
    const flat = this.#op('Reshape', [turned, this.#ints([...copied, -1])]);
    const picked = this.#op('Gather', [flat, this.#ints(places)], { axis: attr.int(others.length) });
    const block = this.#op('Reshape', [picked, this.#ints([...copied, ...sizes])]);
    return this.#transpose(
      block,
      order.map((_, axis) => order.indexOf(axis)),
    );
  }

  #transpose(value: Value, perm: readonly number[]): Value {
    return perm.every((axis, index) => axis === index)
      ? value
      : this.#op('Transpose', [value], { perm: attr.ints(perm) });
  }

  #op(opType: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value {
    return this.#graph.addNode({ opType, inputs, attributes }).output();
  }

  #ints(values: readonly number[]): Value {
    return this.#graph.addInitializer(this.#graph.freshName('places'), Tensor.int64(values));
  }
}
