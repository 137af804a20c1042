import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, type Graph, staticShape, type Value } from '../ir/index.ts';
import { bundleAt } from '../ops/index.ts';
import { type CalibrationBatch, sampleCount } from './calibration.ts';
import type { ChannelGroups } from './groups.ts';
import type { Workbench } from './importance/workbench.ts';
import { instrumentedRuns, type RunOptions } from './instrumented.ts';
import { Moments } from './least-squares.ts';
import type { RepairLayer } from './repair-layers.ts';
import { type SampledInput, type SampledOutput, sampleInput, sampleOutput } from './sampled-rows.ts';

/** Each fifth sample is held out; each fifth row, where there are fewer samples. */
const HELD_OUT = 5;

/** Sums from which a layer's fit follows. Y is what is missing: the original's output less the layer's own. */
export interface LayerSums {
  /** Over the samples that are fitted. */
  readonly fit: Moments;
  /** Over those that are not. */
  readonly held: Moments;
  /** Sum of the squares of the original's output, over those that are not. */
  targets: number;
}

/** What was seen of a layer in a batch of the original model. */
interface Seen {
  readonly positions: readonly number[];
  /** What it gives there, `[rows, kept channels]`. */
  targets: Float32Array;
}

/** Names of sums that a graph gives. */
interface SumNames {
  readonly gram: string;
  readonly cross: string;
  readonly squares: string;
}

/** Where a layer is measured in a copy of the cut graph, for batches of one shape. */
interface Gauge {
  readonly output: SampledOutput;
  readonly input: SampledInput;
  readonly features: number;
  readonly channels: number;
  /** Inputs for what the original gives, and for which rows are fitted (1). */
  readonly target: string;
  readonly fitted: string;
  readonly fit: SumNames;
  readonly held: SumNames;
}

/** Calibration batches, seen through the outputs of layers at sampled positions. */
export class Samples {
  readonly #groups: ChannelGroups;
  readonly #kept: Uint8Array;
  readonly #batches: readonly CalibrationBatch[];
  /** Number of the first sample of each batch. */
  readonly #first: readonly number[];
  readonly #most: number;
  readonly #random: Generator;
  readonly #seen = new Map<RepairLayer, Seen[]>();
  /** Samples in all batches. */
  readonly count: number;

  constructor(
    groups: ChannelGroups,
    removed: Uint8Array,
    batches: readonly CalibrationBatch[],
    most: number,
    seed: number,
  ) {
    this.#groups = groups;
    this.#kept = groups.keptLabels(removed);
    this.#batches = batches;
    let count = 0;
    this.#first = batches.map((batch) => {
      const first = count;
      count += sampleCount(batch);
      return first;
    });
    this.count = count;
    this.#most = most;
    this.#random = new Generator(seed);
  }

  /** Runs the original model, and keeps what the layers give at random positions, of the channels that stay. */
  async collect(layers: readonly RepairLayer[], { threads, signal }: RunOptions): Promise<void> {
    if (layers.length === 0) return;
    for (const layer of layers) this.#seen.set(layer, []);
    const runs = instrumentedRuns(
      this.#groups.coupling.graph,
      this.#batches,
      { ...(threads === undefined ? {} : { threads }), ...(signal ? { signal } : {}) },
      (bench) => layers.map((layer, index) => this.#watch(bench, layer, index)),
      (watched) => {
        const feeds: Record<string, Tensor> = {};
        for (const { layer, output } of watched) {
          const positions = this.#draw(output);
          this.#seen.get(layer)!.push({ positions, targets: new Float32Array() });
          feeds[output.input] = Tensor.int64(positions);
        }
        return feeds;
      },
    );
    for await (const { results, facts } of runs) {
      for (const { layer, rows } of facts)
        this.#seen.get(layer)!.at(-1)!.targets = results.get(rows)!.float32;
    }
  }

  /** Runs the cut model, and gives the sums of layers of which none reads another. */
  async moments(
    cut: Graph,
    layers: readonly RepairLayer[],
    { threads, signal }: RunOptions,
  ): Promise<ReadonlyMap<RepairLayer, LayerSums>> {
    const sums = new Map<RepairLayer, LayerSums>();
    let batch = 0;
    const runs = instrumentedRuns(
      cut,
      this.#batches,
      { ...(threads === undefined ? {} : { threads }), ...(signal ? { signal } : {}) },
      (bench) => layers.map((layer, index) => gauge(bench, layer, this.#most, index)),
      (gauges, number) =>
        Object.assign({}, ...layers.map((layer, at) => this.#feeds(layer, gauges[at]!, number))),
    );
    for await (const { results, facts } of runs) {
      layers.forEach((layer, at) => {
        const { features, channels, fit, held, output } = facts[at]!;
        let own = sums.get(layer);
        if (!own) {
          own = { fit: new Moments(features, channels), held: new Moments(features, channels), targets: 0 };
          sums.set(layer, own);
        }
        addTo(own.fit, fit, results);
        addTo(own.held, held, results);
        const { targets } = this.#seen.get(layer)![batch]!;
        const fitted = this.#fitted(batch, output);
        targets.forEach((value, index) => {
          if (fitted[Math.floor(index / channels)] === 0) own.targets += value * value;
        });
      });
      batch++;
    }
    return sums;
  }

  #watch(
    bench: Workbench,
    layer: RepairLayer,
    index: number,
  ): { readonly layer: RepairLayer; readonly output: SampledOutput; readonly rows: string } {
    const { make, builder, graph } = bench;
    const value = graph.value(layer.node.output().name);
    const output = sampleOutput(bench, value, layer.axis, this.#most, `positions_${index}`);
    const rows = make.op('Gather', [output.rows, make.ints(this.#channels(layer, output))], {
      axis: attr.int(1),
    });
    builder.output(rows);
    return { layer, output, rows: rows.name };
  }

  /** Indices of the channels of its output that stay. */
  #channels(layer: RepairLayer, { channels }: SampledOutput): number[] {
    const { coupling } = this.#groups;
    const value = layer.node.output();
    const rank = staticShape(coupling.inference.get(value)?.shape)?.length ?? 0;
    const axis = layer.axis < 0 ? rank + layer.axis : layer.axis;
    const labels = bundleAt(coupling.channels(value), axis)?.labels;
    const all = Array.from({ length: channels }, (_, index) => index);
    return labels ? all.filter((index) => this.#kept[labels[index]!] === 1) : all;
  }

  #draw({ taken, positions }: SampledOutput): number[] {
    if (taken === positions) return Array.from({ length: positions }, (_, index) => index);
    return Array.from(this.#random.randint(taken, 0, positions), Number);
  }

  #feeds(layer: RepairLayer, { output, input, channels, target, fitted }: Gauge, batch: number): Feeds {
    const { positions, targets } = this.#seen.get(layer)![batch]!;
    const rows = output.samples * output.taken;
    return {
      [output.input]: Tensor.int64(positions),
      ...(input.input === null ? {} : { [input.input]: input.patches(positions) }),
      [target]: new Tensor('float32', [rows, channels], targets),
      [fitted]: new Tensor('float32', [rows, 1], this.#fitted(batch, output)),
    };
  }

  /** For each row of a batch 1 where it is fitted, 0 where it is held out. */
  #fitted(batch: number, { samples, taken }: SampledOutput): Float32Array {
    const first = this.#first[batch]!;
    return Float32Array.from({ length: samples * taken }, (_, row) => {
      const sample = first + Math.floor(row / taken);
      const number = this.count >= HELD_OUT ? sample : first * taken + row;
      return number % HELD_OUT === HELD_OUT - 1 ? 0 : 1;
    });
  }
}

type Feeds = Readonly<Record<string, Tensor>>;

/** Adds nodes that give the sums of a layer. */
function gauge(bench: Workbench, layer: RepairLayer, most: number, index: number): Gauge {
  const { make, builder, graph } = bench;
  const value = graph.value(layer.node.output().name);
  const node = value.producer!;
  const output = sampleOutput(bench, value, layer.axis, most, `positions_${index}`);
  const input = sampleInput(bench, node, output, `patches_${index}`);
  const [rows, channels] = make.shape(output.rows) as readonly [number, number];
  const target = builder.input(graph.freshName(`target_${index}`), 'float32', [rows, channels]);
  const fitted = builder.input(graph.freshName(`fitted_${index}`), 'float32', [rows, 1]);
  // A column of ones stands for the bias.
  const x = layer.bias ? make.concat([input.rows, make.full(1, 'float32', [rows, 1])], 1) : input.rows;
  const y = make.sub(target, output.rows);
  const sums = (mask: Value): SumNames => {
    const own = make.mul(y, mask);
    const values = [
      make.matmul(make.transposeMatrix(make.mul(x, mask)), x),
      make.matmul(make.transposeMatrix(x), own),
      make.reduceSum(make.mul(own, own), undefined, false),
    ];
    for (const each of values) builder.output(each);
    const [gram, cross, squares] = values.map(({ name }) => name);
    return { gram: gram!, cross: cross!, squares: squares! };
  };
  return {
    output,
    input,
    features: make.shape(x)[1]!,
    channels,
    target: target.name,
    fitted: fitted.name,
    fit: sums(fitted),
    held: sums(make.sub(1, fitted)),
  };
}

function addTo(moments: Moments, names: SumNames, results: ReadonlyMap<string, Tensor>): void {
  const of = (name: string): Float32Array => results.get(name)!.float32;
  moments.add(of(names.gram), of(names.cross), of(names.squares)[0]!);
}
