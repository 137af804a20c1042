import { byteLengthOf } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import { sizeOf, type Tensor } from '../core/tensor.ts';
import { type Graph, type Node, type Shape, staticShape, type Value } from '../ir/index.ts';
import {
  allNodes,
  type Convention as CostConvention,
  findOperator,
  type GraphParameter,
  graphParameters,
  type Inference,
  inferShapes,
  isUnsupported,
  type WeightLayout,
} from '../ops/index.ts';
import { rebatch } from '../passes/index.ts';
import { addSparsity, countZeros, type GranularSparsity, granularSparsity } from './zeros.ts';

/**
 * Ways of counting operations. `macs`: multiply-accumulates of convolutions, linear layers and matrix products, without bias. `flops`: two for
 * each of these. `thop@…`: what those versions of thop call FLOPs.
 */
export type Convention = CostConvention | 'flops';

/** How a graph is profiled. */
export interface ProfileOptions {
  /** Shapes of the inputs by name. By default one sample: symbolic and fixed batch axes are taken as 1. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Default `macs`. */
  readonly convention?: Convention;
  /** Also count how many whole rows, kernels, filters and N:M groups are zero. */
  readonly sparsity?: boolean;
  /** Which constants are parameters, where the caller knows better than the graph's names tell (a Module does). */
  readonly isParameter?: (tensor: Tensor) => boolean;
}

/** A node with parameters or operations. */
export interface LayerProfile {
  /** The node's name, or its first output's. */
  readonly name: string;
  readonly op: string;
  /** Null where it could not be inferred. */
  readonly outputShape: readonly number[] | null;
  readonly parameters: number;
  readonly zeros: number;
  /** Operations in the profile's convention. */
  readonly macs: number;
  /** Bytes of its outputs. */
  readonly activationBytes: number;
  /** Share of all operations. */
  readonly share: number;
  readonly sparsity?: GranularSparsity;
}

/** Sums over the whole graph. */
export interface ProfileTotals {
  readonly parameters: number;
  readonly zeros: number;
  /** zeros / parameters; 0 where there are no parameters. */
  readonly sparsity: number;
  /** Operations in the profile's convention. */
  readonly macs: number;
  /** Bytes of parameters and buffers. */
  readonly weightBytes: number;
  /** Bytes of all outputs of all nodes. */
  readonly activationBytes: number;
  /** Most bytes of outputs that are needed at one time, in the order the nodes stand. */
  readonly peakActivationBytes: number;
  readonly nodes: number;
}

/** What a model has and costs, found without running it. */
export interface Profile {
  readonly convention: Convention;
  /** The input shapes the numbers are for. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly totals: ProfileTotals;
  readonly granularity?: GranularSparsity;
  readonly layers: readonly LayerProfile[];
  /** What could not be counted, a sentence each; the totals leave it out. */
  readonly notCounted: readonly string[];
  /** What the reader should know of how it was counted. */
  readonly notes: readonly string[];
}

/** A profile for which zeros were not counted. */
export interface ProfileWithoutZeros extends Omit<Profile, 'totals' | 'layers' | 'granularity'> {
  readonly totals: Omit<ProfileTotals, 'zeros' | 'sparsity'>;
  readonly layers: readonly Omit<LayerProfile, 'zeros' | 'sparsity'>[];
}

/**
 * Profiles a graph: parameters, zeros, operations and memory, per layer and in total, without running it.
 *
 * Throws ArgumentError where a shape is given for no input or an input's shape is not known and not given; ShapeError where shapes do not fit
 * the operators. Operators whose operations cannot be counted are listed in `notCounted`, never taken for free.
 */
export function profileGraph(original: Graph, options: ProfileOptions = {}): Profile {
  return measure(original, options, countZeros).profile;
}

/** A profile, and all that the graph's own names and rules take for parameters. */
interface Measured {
  readonly profile: Profile;
  readonly found: readonly GraphParameter[];
}

/** As `profileGraph`, with another way of counting a tensor's zeros. */
export function measure(
  original: Graph,
  options: ProfileOptions,
  zerosOf: (tensor: Tensor) => number,
): Measured {
  const convention = options.convention ?? 'macs';
  const notes: string[] = [];
  const { graph, shapes } = withShapes(original, options.shapes, notes);
  const inference = inferShapes(graph, { shapes });
  const notCounted = inference.notInferred.map(({ node, why }) => `${node.label}: ${why}`);
  const found = graphParameters(graph);
  const parameters = found.filter((parameter) =>
    options.isParameter && parameter.kind === 'parameter' ? options.isParameter(parameter.tensor) : true,
  );
  const byNode = new Map<Node, GraphParameter[]>();
  for (const parameter of parameters) {
    const list = byNode.get(parameter.node);
    if (list) list.push(parameter);
    else byNode.set(parameter.node, [parameter]);
  }
  const rows: Omit<LayerProfile, 'share'>[] = [];
  const totals = { parameters: 0, zeros: 0, macs: 0, activationBytes: 0, nodes: 0 };
  for (const node of allNodes(graph)) {
    const own = (byNode.get(node) ?? []).filter(({ kind }) => kind === 'parameter');
    const row = {
      name: node.name || (node.outputs.find((output) => output !== null)?.name ?? node.opType),
      op: node.opType,
      outputShape: staticShape(node.outputs[0] && inference.get(node.outputs[0])?.shape),
      parameters: own.reduce((sum, { tensor }) => sum + tensor.size, 0),
      zeros: own.reduce((sum, { tensor }) => sum + zerosOf(tensor), 0),
      macs: operations(node, inference, convention, notCounted),
      activationBytes: node.outputs.reduce((sum, output) => sum + bytesOf(output, inference), 0),
    };
    totals.parameters += row.parameters;
    totals.zeros += row.zeros;
    totals.macs += row.macs;
    totals.activationBytes += row.activationBytes;
    totals.nodes++;
    if (row.parameters === 0 && row.macs === 0) continue;
    const weight = own.find(({ layout }) => layout !== null);
    rows.push({
      ...row,
      ...(options.sparsity && weight ? { sparsity: granularSparsity(weight.tensor, weight.layout) } : {}),
    });
  }
  const profile: Profile = {
    convention,
    inputs: shapes,
    totals: {
      ...totals,
      sparsity: totals.parameters === 0 ? 0 : totals.zeros / totals.parameters,
      weightBytes: parameters.reduce((sum, { tensor }) => sum + tensor.byteLength, 0),
      peakActivationBytes: peakBytes(graph, inference),
    },
    ...(options.sparsity ? { granularity: addSparsity(rows.flatMap(({ sparsity }) => sparsity ?? [])) } : {}),
    layers: rows.map((row) => ({ ...row, share: totals.macs === 0 ? 0 : row.macs / totals.macs })),
    notCounted,
    notes,
  };
  return { profile, found };
}

/** Sparsity of a list of weights by granularity, summed. */
export const sparsityByGranularity = (
  weights: readonly { readonly tensor: Tensor; readonly layout: WeightLayout | null }[],
): GranularSparsity => addSparsity(weights.map(({ tensor, layout }) => granularSparsity(tensor, layout)));

/** Decides the input shapes, and takes a fixed batch down to one sample where that can be done. */
function withShapes(
  graph: Graph,
  given: ProfileOptions['shapes'],
  notes: string[],
): { graph: Graph; shapes: Record<string, readonly number[]> } {
  const names = graph.feeds.map(({ name }) => `'${name}'`).join(', ');
  for (const name of Object.keys(given ?? {})) {
    if (!graph.feeds.some((input) => input.name === name)) {
      throw new ArgumentError(`profile: no input is named '${name}'; the inputs are ${names}`);
    }
  }
  let counted = graph;
  const batched = graph.feeds.some(({ type }) => type?.kind === 'tensor' && Number(type.shape?.[0] ?? 0) > 1);
  if (!given && batched) {
    const single = rebatch(graph, 1);
    if (single) {
      counted = single;
      notes.push('The model has a fixed batch size; one sample is counted.');
    } else notes.push('The model has its batch size built in; a whole batch is counted.');
  }
  const shapes: Record<string, readonly number[]> = {};
  for (const { name, type } of counted.feeds) {
    const declared = type?.kind === 'tensor' ? type.shape : null;
    const shape = given?.[name] ?? singleSample(declared);
    if (!shape) {
      const known = declared ? `[${declared.map((dim) => dim ?? '?').join(', ')}]` : 'unknown';
      throw new ArgumentError(`profile: the shape of input '${name}' is ${known}; give its shape`);
    }
    shapes[name] = shape;
  }
  return { graph: counted, shapes };
}

/** A declared shape with 1 for a batch axis that is not fixed; null where more than that is open. */
function singleSample(shape: Shape | null): readonly number[] | null {
  return staticShape(shape?.map((dim, axis) => (axis === 0 && typeof dim !== 'number' ? 1 : dim)));
}

function operations(node: Node, inference: Inference, convention: Convention, notCounted: string[]): number {
  const operator = findOperator(node.domain, node.opType);
  if (!operator) {
    // Of unknown operators nothing could be inferred, and they are listed for that. What is left are calls of functions.
    if (!inference.notInferred.some((entry) => entry.node === node)) {
      notCounted.push(`${node.label}: calls a function of the model, whose operations are not counted`);
    }
    return 0;
  }
  const { cost } = operator;
  if (isUnsupported(cost)) {
    notCounted.push(`${node.label}: ${cost.unsupported}`);
    return 0;
  }
  const known = (value: Value | null) => (value ? inference.get(value) : null);
  const inputs = node.inputs.map(known);
  const outputs = node.outputs.map(known);
  const isOpen = [...node.inputs, ...node.outputs].some(
    (value) => value && !staticShape(inference.get(value)?.shape),
  );
  if (isOpen) {
    if (!inference.notInferred.some((entry) => entry.node === node)) {
      notCounted.push(`${node.label}: its shapes depend on data or on sizes that were not given`);
    }
    return 0;
  }
  const counted = cost({ node, opset: node.graph.opset(node.domain), inputs, outputs });
  return convention === 'flops' ? 2 * counted.macs : counted[convention];
}

function bytesOf(value: Value | null, inference: Inference): number {
  const inferred = value && inference.get(value);
  const shape = staticShape(inferred?.shape);
  return inferred && shape ? byteLengthOf(inferred.dtype, sizeOf(shape)) : 0;
}

/** Most bytes of node outputs alive at once: from where a value is made to where it is read last. */
function peakBytes(graph: Graph, inference: Inference): number {
  const last = new Map<Value, number>();
  graph.nodes.forEach((node, place) => {
    for (const value of node.inputs) if (value) last.set(value, place);
  });
  const dying = new Map<number, Value[]>();
  for (const [value, place] of last) {
    if (value.isOutput) continue;
    const list = dying.get(place);
    if (list) list.push(value);
    else dying.set(place, [value]);
  }
  let alive = 0;
  let peak = 0;
  graph.nodes.forEach((node, place) => {
    for (const output of node.outputs) alive += bytesOf(output, inference);
    peak = Math.max(peak, alive);
    for (const value of dying.get(place) ?? []) if (value.producer) alive -= bytesOf(value, inference);
  });
  return peak;
}
