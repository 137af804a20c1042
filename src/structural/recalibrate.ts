import { ArgumentError } from '../core/errors.ts';
import { fromFloat32, toFloat32 } from '../core/float16.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import type { Graph, Node } from '../ir/index.ts';
import { allNodes, batchNormTraining, findOperator, type RunningNorm, unbiased } from '../ops/index.ts';
import type { CalibrationData } from './calibration.ts';
import type { Workbench } from './importance/workbench.ts';
import { instrumentedRuns, type RunOptions } from './instrumented.ts';

/** How running statistics are taken anew. */
export interface RecalibrateOptions extends RunOptions {
  /**
   * Share with which the statistics of each batch enter the running ones, PyTorch's `momentum`; null for the plain mean over all batches, PyTorch's `momentum=None`, in which what stood there before does not count.
   * Default null.
   */
  readonly momentum?: number | null;
}

/** What was recalibrated. */
export interface Recalibration {
  /** Labels of the nodes with new statistics. */
  readonly layers: readonly string[];
  readonly batches: number;
  readonly samples: number;
  /** What could not be recalibrated, or that there was nothing: a sentence each. */
  readonly notes: readonly string[];
}

/** Batch normalizations that share all their parameters: one layer, applied once or more. */
interface Layer {
  readonly norm: RunningNorm;
  readonly nodes: Node[];
  readonly mean: Average;
  readonly variance: Average;
}

/** Where the statistics of a node come out, for batches of a shape. */
interface Statistics {
  /** The node's first output. */
  readonly of: string;
  readonly mean: string;
  readonly variance: string;
}

/**
 * Takes the running statistics of batch normalization anew from data, as its inputs have others since channels went: runs the model once on each batch with every batch normalization using the statistics of the batch, as in
 * training, and averages them. The variance is the unbiased one, as PyTorch keeps it. Only running means and variances of the graph change, and only once all batches are done; they become tensors of their own, so that a
 * graph that shared them keeps its own.
 *
 * Throws ArgumentError where a batch gives a layer fewer than two values a channel, the momentum is no share, or the data does not fit; and as `createSession`.
 */
export async function recalibrate(
  graph: Graph,
  data: CalibrationData,
  options: RecalibrateOptions = {},
): Promise<Recalibration> {
  const { momentum = null } = options;
  if (momentum !== null && !(momentum > 0 && momentum <= 1)) {
    throw new ArgumentError(
      `recalibrate: momentum expects null or a number above 0, at most 1, got ${momentum}`,
    );
  }
  const { layers, notes } = layersOf(graph, momentum);
  if (layers.size === 0) {
    notes.push(
      'There are no running statistics to recalibrate: the graph has no batch normalization (exporters fold it into convolutions); repair the consumers instead, or fine-tune',
    );
    return { layers: [], batches: 0, samples: 0, notes };
  }
  let batches = 0;
  let samples = 0;
  const runs = instrumentedRuns(graph, data, options, (bench) => useBatchStatistics(bench, layers));
  for await (const { results, facts, samples: count } of runs) {
    for (const { of, mean, variance } of facts) {
      const layer = layers.get(of)!;
      layer.mean.add(toFloat32(results.get(mean)!).float32);
      layer.variance.add(toFloat32(results.get(variance)!).float32);
    }
    batches++;
    samples += count;
  }
  const labels: string[] = [];
  for (const { norm, nodes, mean, variance } of new Set(layers.values())) {
    put(nodes, norm.mean, mean.result);
    put(nodes, norm.variance, variance.result);
    labels.push(nodes[0]!.label);
  }
  return { layers: labels, batches, samples, notes };
}

/** The batch normalizations whose statistics can be taken anew, by what they give; and what is said of the others. */
function layersOf(
  graph: Graph,
  momentum: number | null,
): { readonly layers: ReadonlyMap<string, Layer>; readonly notes: string[] } {
  const notes: string[] = [];
  const layers = new Map<string, Layer>();
  const byParameters = new Map<string, Layer>();
  for (const node of allNodes(graph)) {
    const norm = normOf(node, graph);
    if (norm === null) continue;
    if (typeof norm === 'string') {
      notes.push(`${node.label}: ${norm}; its statistics stay`);
      continue;
    }
    const key = JSON.stringify(node.inputs.slice(1).map((value) => value?.name));
    const averageOf = (input: number): Average =>
      new Average(toFloat32(node.input(input).initializer!).float32, momentum);
    const layer = byParameters.get(key) ?? {
      norm,
      nodes: [],
      mean: averageOf(norm.mean),
      variance: averageOf(norm.variance),
    };
    layer.nodes.push(node);
    byParameters.set(key, layer);
    layers.set(node.output().name, layer);
  }
  return { layers, notes };
}

/** How a node normalizes, or why its statistics cannot be taken anew; null where it is no batch normalization. */
function normOf(node: Node, graph: Graph): RunningNorm | string | null {
  const norm = findOperator(node.domain, node.opType)?.runningNorm?.(node) ?? null;
  if (norm === null) return null;
  if (node.graph !== graph) return 'stands in a subgraph';
  if (typeof norm === 'string') return norm;
  const buffers = [node.inputs[norm.mean], node.inputs[norm.variance]];
  return buffers.every((value) => value?.initializer) ? norm : 'has statistics that are computed';
}

/** Lets every batch normalization of a copy use the statistics of the batch, and gives these out. */
function useBatchStatistics(bench: Workbench, layers: ReadonlyMap<string, Layer>): readonly Statistics[] {
  const { graph, builder, make } = bench;
  const found: Statistics[] = [];
  const replaced: Node[] = [];
  for (const node of [...graph.nodes]) {
    const output = node.outputs[0];
    const norm = output && layers.get(output.name)?.norm;
    if (!output || !norm) continue;
    const x = node.input(0);
    const sizes = make.shape(x);
    const count = sizeOf(sizes) / sizes[1]!;
    if (count < 2) {
      throw new ArgumentError(
        `recalibrate: ${node.label} sees one value a channel in a batch (${x.name} [${sizes.join(', ')}]), which has no variance; give batches of more samples`,
      );
    }
    const { y, mean, variance } = batchNormTraining(make, {
      x,
      scale: node.input(norm.scale),
      bias: node.input(norm.bias),
      epsilon: norm.epsilon,
    });
    output.replaceAllUsesWith(y);
    replaced.push(node);
    const given = [mean, unbiased(make, variance, count)].map((value) => {
      builder.output(value);
      return value.name;
    });
    found.push({ of: output.name, mean: given[0]!, variance: given[1]! });
  }
  graph.removeNodes(replaced);
  graph.sort();
  return found;
}

/** Puts a statistic in place: in the initializer, or in a new one where something else reads that, too. */
function put(nodes: readonly Node[], input: number, elements: Float32Array): void {
  const value = nodes[0]!.input(input);
  const { dtype, shape } = value.initializer!;
  const tensor = fromFloat32(new Tensor('float32', shape, elements), dtype);
  const isOwn = value.uses.every(({ node, index }) => index === input && nodes.includes(node));
  if (isOwn && !value.isOutput) {
    value.initializer = tensor;
    return;
  }
  const { graph } = value;
  const own = graph.addInitializer(graph.freshName(value.name), tensor);
  for (const node of nodes) node.setInput(input, own);
}

/** An average that takes one vector after another. */
class Average {
  readonly #momentum: number | null;
  readonly #current: Float64Array;
  #count = 0;

  constructor(start: Float32Array, momentum: number | null) {
    this.#current = Float64Array.from(start);
    this.#momentum = momentum;
  }

  add(vector: Float32Array): void {
    this.#count++;
    const share = this.#momentum ?? 1 / this.#count;
    for (let index = 0; index < vector.length; index++) {
      // Not `+= share * (new - old)` for the first of a plain mean: what stood there may be NaN.
      const before = share === 1 ? 0 : (1 - share) * this.#current[index]!;
      this.#current[index] = before + share * vector[index]!;
    }
  }

  get result(): Float32Array {
    return Float32Array.from(this.#current);
  }
}
