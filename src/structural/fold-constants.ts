import { Tensor } from '../core/tensor.ts';
import { cloneGraph, type Graph, type Node, type Value } from '../ir/index.ts';
import { findOperator } from '../ops/index.ts';
import { removeUnused } from '../passes/index.ts';
import { createSession, randomInputs } from '../runtime/index.ts';
import type { ChannelView } from './channel-view.ts';
import { realsOf } from './importance/axis-sums.ts';
import { placesOf } from './observed-channels.ts';
import type { WeightedSum } from './weighted-sum.ts';

/** What constant channels add to the output channels of a weighted sum. */
export interface Contribution {
  /** Axis of the output's channels; null where there is but one, or where none fits. */
  readonly axis: number | null;
  /** For each output channel. */
  readonly values: Float64Array;
  /** 1 where it adds the same everywhere; beside padding it does not. */
  readonly isUniform: Uint8Array;
}

/** Share of the greatest contribution up to which two are the same. */
const SAME = 1e-5;

/** Dtypes whose weights are changed here. */
export const FOLDED_DTYPES: ReadonlySet<string> = new Set(['float32', 'float64']);

/**
 * What some input channels of weighted sums add to their outputs, found by running each once more on these channels alone, without its bias. It is exact whatever window, stride or padding it has.
 * Throws EngineError where onnxruntime refuses the model.
 */
export async function contributionsOf(
  view: ChannelView,
  foldings: ReadonlyMap<WeightedSum, readonly number[]>,
  threads?: number,
): Promise<Map<WeightedSum, Contribution>> {
  const { graph: original, shapes } = view.coupling;
  const { graph, values } = cloneGraph(original);
  while (graph.outputs.length > 0) graph.removeOutput(0);
  const alone = new Map<WeightedSum, Value>();
  for (const [sum, inputs] of foldings) {
    const output = onlyInputs(graph, sum, inputs, values, view);
    graph.addOutput(output);
    alone.set(sum, output);
  }
  removeUnused(graph);
  const session = await createSession(graph, threads === undefined ? {} : { threads });
  try {
    const results = await session.run(randomInputs(graph, { shapes }));
    return new Map(
      [...alone].map(([sum, { name }]) => [sum, contributionIn(sum, results.get(name)!, view)] as const),
    );
  } finally {
    await session.dispose();
  }
}

/** The sum once more, of its input with all but these channels set to 0. */
function onlyInputs(
  graph: Graph,
  sum: WeightedSum,
  inputs: readonly number[],
  values: ReadonlyMap<Value, Value>,
  view: ChannelView,
): Value {
  const { node } = sum;
  const { dtype, shape } = view.coupling.inference.get(sum.input)!;
  const axis = view.bundle(sum.input)!.axes[0]!;
  const mask = new Float64Array(sum.inputs);
  for (const input of inputs) mask[input] = 1;
  const sizes = shape.map((_, own) => (own === axis ? sum.inputs : 1));
  const masked = graph.addNode({
    opType: 'Mul',
    inputs: [values.get(sum.input)!, constant(graph, 'only', numbers(dtype, sizes, mask))],
  });
  const copies = node.inputs.map((value) => {
    if (!value) return null;
    if (value === sum.input) return masked.output();
    const copy = values.get(value)!;
    const isBias = value !== sum.weight && copy.initializer;
    return isBias
      ? constant(graph, 'none', Tensor.zeros(copy.initializer!.dtype, copy.initializer!.shape))
      : copy;
  });
  return graph
    .addNode({
      opType: node.opType,
      domain: node.domain,
      inputs: copies,
      attributes: new Map(node.attributes),
    })
    .output();
}

const constant = (graph: Graph, name: string, tensor: Tensor): Value =>
  graph.addInitializer(graph.freshName(name), tensor);

function numbers(dtype: string, shape: readonly number[], elements: Float64Array): Tensor {
  if (dtype === 'float64') return new Tensor('float64', shape, elements);
  return new Tensor('float32', shape, Float32Array.from(elements));
}

function contributionIn(sum: WeightedSum, result: Tensor, view: ChannelView): Contribution {
  const bundle = view.bundle(sum.output);
  if (bundle) return contributionAlong(bundle.axes[0]!, sum, result);
  if (sum.outputs === 1) return contributionAlong(null, sum, result);
  // Channels that cannot be cut carry no labels. Whichever axis it is, along it alone the sum may differ.
  const found = result.shape.flatMap((size, axis) =>
    size === sum.outputs ? [contributionAlong(axis, sum, result)] : [],
  );
  const isUniform = ({ isUniform: flags }: Contribution): boolean => !flags.includes(0);
  return found.find(isUniform) ?? contributionAlong(null, sum, result);
}

function contributionAlong(axis: number | null, { outputs }: WeightedSum, result: Tensor): Contribution {
  const places = placesOf(result.shape, axis === null ? [] : [axis]);
  const low = new Float64Array(outputs).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(outputs).fill(Number.NEGATIVE_INFINITY);
  const elements = realsOf(result);
  let scale = 0;
  places.forEach((place, at) => {
    const element = elements[at]!;
    low[place] = Math.min(low[place]!, element);
    high[place] = Math.max(high[place]!, element);
    scale = Math.max(scale, Math.abs(element));
  });
  return {
    axis,
    values: Float64Array.from(low, (least, at) => (least + high[at]!) / 2),
    isUniform: Uint8Array.from(low, (least, at) => (high[at]! - least <= SAME * scale ? 1 : 0)),
  };
}

/** Channels whose weights go to another channel, which holds the same number everywhere, times what they hold of it. */
export interface Merge {
  readonly into: number;
  readonly from: readonly { readonly input: number; readonly ratio: number }[];
}

/** The weight of a sum after channels were merged: `W[o, into] += ratio * W[o, from]`. */
export function mergedWeight(sum: WeightedSum, merges: readonly Merge[]): Tensor {
  const tensor = sum.weight.initializer!.clone();
  const data = tensor.data as Float32Array | Float64Array;
  for (const { into, from } of merges) {
    for (let output = 0; output < sum.outputs; output++) {
      const { first, count } = sum.group(output);
      if (into < first || into >= first + count) continue;
      const to = sum.offsets(output, into);
      for (const { input, ratio } of from) {
        sum.offsets(output, input).forEach((offset, place) => {
          data[to[place]!] = data[to[place]!]! + ratio * data[offset]!;
        });
      }
    }
  }
  return tensor;
}

/** Numbers to be added to the output channels of a node. */
export interface Addition {
  readonly output: Value;
  readonly dtype: string;
  readonly rank: number;
  /** Axis of the channels; null where there is but one. */
  readonly axis: number | null;
  readonly numbers: Float64Array;
  /** Input of the node at which a bias can stand, or null. */
  readonly slot: number | null;
  /** The bias is named beside it: `conv1.weight` has `conv1.bias`. */
  readonly weightName: string;
}

/** Adds numbers to a node's output channels: to its bias where it has one, or can have one; else to the constant of the addition behind it, or by an addition that is put there. */
export function addToOutput(addition: Addition): void {
  const { output, slot, axis, rank, numbers: added } = addition;
  if (slot !== null && addToBias(addition, slot)) return;
  const shape = Array.from({ length: axis === null ? 0 : rank - axis }, (_, at) =>
    at === 0 ? added.length : 1,
  );
  if (!addBehind(output, shape, added)) insertAddition(addition, shape);
}

const biasName = (weightName: string): string =>
  /weight$/.test(weightName) ? weightName.replace(/weight$/, 'bias') : `${weightName}_bias`;

function addToBias({ output, dtype, numbers: added, weightName }: Addition, slot: number): boolean {
  const node = output.producer!;
  if (node.inputs[slot]) return changeConstant(node, slot, [added.length], added);
  if (node.inputs.length < slot) return false;
  node.setInput(slot, constant(node.graph, biasName(weightName), numbers(dtype, [added.length], added)));
  return true;
}

/** Adds to a constant that an input is, where it has exactly these elements. What others read stays. */
function changeConstant(node: Node, index: number, shape: readonly number[], added: Float64Array): boolean {
  const value = node.inputs[index];
  const tensor = value?.initializer;
  if (!value || !tensor || tensor.size !== added.length || !FOLDED_DTYPES.has(tensor.dtype)) return false;
  if (shape.filter((size) => size > 1).join() !== tensor.shape.filter((size) => size > 1).join())
    return false;
  const before = realsOf(tensor);
  const sums = numbers(
    tensor.dtype,
    tensor.shape,
    added.map((number, at) => number + before[at]!),
  );
  if (value.uses.length === 1 && !value.isOutput && !value.isInput) value.initializer = sums;
  else node.setInput(index, constant(node.graph, value.name, sums));
  return true;
}

/** Adds to the constant of an addition that alone reads the output. */
function addBehind(output: Value, shape: readonly number[], added: Float64Array): boolean {
  const [use, ...others] = output.uses;
  if (!use || others.length > 0 || output.isOutput || use.node.graph !== output.graph) return false;
  const { node } = use;
  if (!findOperator(node.domain, node.opType)?.sum || node.inputs.length !== 2) return false;
  const tensor = node.inputs[1 - use.index]?.initializer;
  // As many axes from the channels' on, so that both are broadcast alike.
  if (!tensor || tensor.shape.slice(-shape.length).join() !== shape.join()) return false;
  return changeConstant(node, 1 - use.index, shape, added);
}

function insertAddition(
  { output, dtype, numbers: added, weightName }: Addition,
  shape: readonly number[],
): void {
  const { graph, name, type } = output;
  const node = output.producer!;
  const bias = constant(graph, biasName(weightName), numbers(dtype, shape, added));
  const next = graph.nodes[graph.nodes.indexOf(node) + 1];
  graph.rename(output, graph.freshName(`${name}_without_bias`));
  const adding = graph.addNode({
    opType: 'Add',
    name: node.name && `${node.name}_bias`,
    inputs: [output, bias],
    outputs: [name],
    ...(next ? { before: next } : {}),
  });
  adding.output().type = type;
  output.replaceAllUsesWith(adding.output());
  adding.setInput(0, output);
}
