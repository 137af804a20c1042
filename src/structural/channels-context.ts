import { StructuralError } from '../core/errors.ts';
import { sizeOf } from '../core/tensor.ts';
import { type Node, staticShape, type Value } from '../ir/index.ts';
import {
  type AxisLabels,
  type Bundle,
  bundleAt,
  bundleSizes,
  type Channels,
  type ChannelsContext,
  constantSource,
  type Inference,
  reordered,
} from '../ops/index.ts';
import type { Consumer, Inexact, PartedAxis, Source } from './coupling.ts';
import type { Labels } from './labels.ts';

/** What the rules of all nodes write into. */
export interface Findings {
  readonly labels: Labels;
  readonly inference: Inference;
  /** Labels of the values found so far. */
  readonly channels: Map<Value, Channels>;
  readonly sources: Omit<Source, 'name'>[];
  readonly consumers: Consumer[];
  readonly partedAxes: PartedAxis[];
  readonly inexact: Inexact[];
}

const isVector = (labels: AxisLabels | Channels): labels is AxisLabels => !Array.isArray(labels);

/** The labels of an axis and the sizes of the value it is on. */
interface Labelled {
  readonly channels: Channels;
  readonly shape: readonly number[];
}

/** What a channel rule is told of one node, writing into what was found so far. Every input and output has static sizes. */
export class NodeChannels implements ChannelsContext {
  readonly node: Node;
  readonly opset: number;
  readonly #found: Findings;

  constructor(node: Node, found: Findings) {
    this.node = node;
    this.opset = node.graph.opset(node.domain);
    this.#found = found;
  }

  has(index: number): boolean {
    return (this.node.inputs[index] ?? null) !== null;
  }

  shape(index: number): readonly number[] {
    return this.#sizes(this.node.input(index));
  }

  outputShape(index: number): readonly number[] {
    return this.#sizes(this.node.output(index));
  }

  numbers(index: number): readonly number[] | undefined {
    const value = this.node.inputs[index];
    const known = value && this.#found.inference.get(value)?.known;
    return known?.every((element) => typeof element === 'number') ? (known as readonly number[]) : undefined;
  }

  channels(index: number): Channels {
    const value = this.node.inputs[index];
    return (value && this.#found.channels.get(value)) ?? [];
  }

  axis(index: number, axis: number): AxisLabels {
    return this.has(index) ? this.axisOf(this.channels(index), axis, this.shape(index)) : null;
  }

  axisOf(channels: Channels, axis: number, shape: readonly number[]): AxisLabels {
    const bundle = bundleAt(channels, axis);
    if (!bundle) return null;
    const { labels } = this.#found;
    const sizes = bundleSizes(bundle, shape);
    const place = bundle.axes.indexOf(axis);
    let elements = bundle.labels;
    for (let last = sizes.length - 1; last > place; last--) {
      const rectangle = labels.rectangle(elements, sizes[last]!);
      rectangle.rowsUsed = true;
      elements = rectangle.rows;
    }
    return place === 0 ? elements : labels.columns(elements, sizes[place]!);
  }

  moved(index: number, axis: number, to: number): Channels {
    const labels = this.axis(index, axis);
    return labels ? [{ axes: [to], labels }] : [];
  }

  tie(a: AxisLabels, b: AxisLabels, why = 'is tied to what cannot be cut'): void {
    const { labels } = this.#found;
    if (a && b) labels.tie(a, b, this.node.label);
    else this.freeze(a ?? b, why);
  }

  contract(a: number, axisA: number, b: number, axisB: number): void {
    this.tie(this.axis(a, axisA), this.axis(b, axisB), 'is multiplied with what cannot be cut');
    this.#consume(a, axisA);
    this.#consume(b, axisB);
  }

  source(index: number, axis: number): AxisLabels {
    const labels = this.axis(index, axis);
    const constant = labels && this.#constant(index, axis);
    const { sources } = this.#found;
    if (
      constant &&
      !sources.some((known) => known.value === constant.value && known.axis === constant.axis)
    ) {
      sources.push({ node: this.node, ...constant, labels });
    }
    return labels;
  }

  freeze(labels: AxisLabels | Channels, why: string): void {
    for (const vector of isVector(labels) ? [labels] : labels.map((bundle) => bundle.labels)) {
      if (vector) this.#found.labels.freeze(vector, `${this.node.label}: ${why}`);
    }
  }

  fresh(count: number): Int32Array {
    return this.#found.labels.fresh(count);
  }

  fixed(count: number, why: string): Int32Array {
    const labels = this.fresh(count);
    this.freeze(labels, why);
    return labels;
  }

  inexact(labels: AxisLabels | Channels, why: string): void {
    const vectors = isVector(labels) ? [labels] : labels.map((bundle) => bundle.labels);
    const mixed = vectors.filter((vector) => vector !== null);
    if (mixed.length > 0) this.#found.inexact.push({ node: this.node, why, labels: mixed });
  }

  broadcast(indices?: readonly number[], shape: readonly number[] = this.outputShape(0)): Channels {
    const taking = indices ?? this.node.inputs.flatMap((value, index) => (value ? [index] : []));
    let result: Labelled = { channels: [], shape: shape.map(() => 1) };
    for (const index of taking) {
      const own = this.shape(index);
      const ahead = shape.length - own.length;
      const aligned: Labelled = {
        shape: shape.map((_, axis) => own[axis - ahead] ?? 1),
        channels: this.channels(index).map((bundle) => ({
          axes: bundle.axes.map((axis) => axis + ahead),
          labels: bundle.labels,
        })),
      };
      result = this.#joined(result, aligned);
    }
    return result.channels;
  }

  collapse(channels: Channels, axes: readonly number[], shape: readonly number[]): Channels {
    return channels.flatMap((bundle) => {
      if (!bundle.axes.some((axis) => axes.includes(axis))) return [bundle];
      const stay = bundle.axes.flatMap((axis, place) => (axes.includes(axis) ? [] : [place]));
      const go = bundle.axes.flatMap((axis, place) => (axes.includes(axis) ? [place] : []));
      const turned = reordered(bundle, [...stay, ...go], shape);
      const length = sizeOf(go.map((place) => shape[bundle.axes[place]!]!));
      const rows = Int32Array.from(
        { length: turned.labels.length / length },
        (_, row) => turned.labels[row * length]!,
      );
      turned.labels.forEach((label, at) => {
        this.#found.labels.union(rows[Math.floor(at / length)]!, label);
      });
      return stay.length === 0 ? [] : [{ axes: stay.map((place) => bundle.axes[place]!), labels: rows }];
    });
  }

  grid(bundle: Bundle, shape: readonly number[]): void {
    for (const axis of bundle.axes) this.axisOf([bundle], axis, shape);
  }

  perPart(index: number, axis: number, along: number, labels: Int32Array): void {
    const ownAxis = this.#constant(index, axis);
    const ownAlong = this.#constant(index, along);
    if (!ownAxis || !ownAlong) {
      this.freeze(
        labels,
        `its weight '${this.node.inputs[index]?.name}' is computed, and cannot be cut group by group`,
      );
      return;
    }
    const size = this.shape(index)[axis]!;
    const known = this.#found.partedAxes.find(
      ({ value, axis: own }) => value === ownAxis.value && own === ownAxis.axis,
    );
    if (known) {
      // A weight that is read twice is cut once, the same for both.
      if (known.labels.length === labels.length) this.tie(known.labels, labels);
      else
        for (const vector of [known.labels, labels])
          this.freeze(vector, 'shares its weight with other groups');
      return;
    }
    this.#found.partedAxes.push({
      node: this.node,
      value: ownAxis.value,
      axis: ownAxis.axis,
      along: ownAlong.axis,
      parts: labels.length / size,
      labels,
    });
  }

  #sizes(value: Value): readonly number[] {
    const sizes = staticShape(this.#found.inference.get(value)?.shape);
    if (sizes) return sizes;
    throw new StructuralError(`${this.node.label}: the sizes of '${value.name}' are not known`);
  }

  /** The initializer behind an input, and its axis. */
  #constant(index: number, axis: number): { readonly value: Value; readonly axis: number } | null {
    const value = this.node.inputs[index];
    const source = value && constantSource(value);
    const own = source?.axes[axis];
    return source && typeof own === 'number' ? { value: source.value, axis: own } : null;
  }

  #consume(index: number, axis: number): void {
    const constant = this.#constant(index, axis);
    if (constant) this.#found.consumers.push({ node: this.node, ...constant });
  }

  /** Ties what meets when two values are broadcast together; axes of size 1 take the labels of the other. */
  #joined(a: Labelled, b: Labelled): Labelled {
    const shape = a.shape.map((size, axis) => Math.max(size, b.shape[axis]!));
    const result: Bundle[] = [];
    for (const axes of overlapping([...a.channels, ...b.channels])) {
      const own = a.channels.filter((bundle) => axes.includes(bundle.axes[0]!));
      const other = b.channels.filter((bundle) => axes.includes(bundle.axes[0]!));
      const [one, two] = [own[0], other[0]];
      const alone = axes.length === 1 && (own.length === 0 || other.length === 0);
      if (alone && a.shape[axes[0]!] === b.shape[axes[0]!]) {
        // What meets it carries no labels: it stays, and nothing is to be followed further.
        this.freeze((one ?? two)!.labels, 'meets what cannot be cut');
        continue;
      }
      if (one && two && own.length === 1 && other.length === 1 && isSameSet(one.axes, two.axes)) {
        result.push(this.#tiedBundles(one, two, shape));
        continue;
      }
      for (const axis of axes) {
        // An axis of size 1 is repeated along the other and ties nothing.
        if (a.shape[axis] === 1 || b.shape[axis] === 1) continue;
        const [first, second] = [this.axisOf(own, axis, a.shape), this.axisOf(other, axis, b.shape)];
        this.tie(first, second, 'meets what cannot be cut');
      }
      const whole = [...own, ...other].find((bundle) => bundle.axes.length === axes.length);
      if (whole) result.push(whole);
      else
        for (const axis of axes) {
          const labels = this.axisOf(own, axis, a.shape) ?? this.axisOf(other, axis, b.shape);
          if (labels) result.push({ axes: [axis], labels });
        }
    }
    return { channels: result, shape };
  }

  /** Ties two bundles on the same axes element by element. */
  #tiedBundles(a: Bundle, b: Bundle, shape: readonly number[]): Bundle {
    const order = a.axes.map((axis) => b.axes.indexOf(axis));
    // Rows of the one are columns of the other: both must keep their identity.
    if (order.some((place, index) => place !== index)) {
      this.grid(a, shape);
      this.grid(b, shape);
    }
    this.tie(a.labels, reordered(b, order, shape).labels);
    return a;
  }
}

const isSameSet = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((axis) => b.includes(axis));

/** Sets of axes that bundles connect. */
function overlapping(bundles: readonly Bundle[]): number[][] {
  const sets: number[][] = [];
  for (const { axes } of bundles) {
    const touching = sets.filter((set) => set.some((axis) => axes.includes(axis)));
    const merged = [...new Set([...touching.flat(), ...axes])].sort((a, b) => a - b);
    for (const set of touching) sets.splice(sets.indexOf(set), 1);
    sets.push(merged);
  }
  return sets;
}
