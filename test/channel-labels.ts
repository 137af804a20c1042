import { DTYPES, type DType } from '../src/core/dtype.ts';
import { Tensor } from '../src/core/tensor.ts';
import { type Attribute, Graph, type Value } from '../src/ir/index.ts';
import { type Channels, GraphBuilder } from '../src/ops/index.ts';
import { analyzeChannels, type Coupling } from '../src/structural/index.ts';

/** What a node is built from beside its operator and inputs. */
export interface ChannelLabelsOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly opset?: number;
  readonly domain?: string;
  /** Number of outputs; 1 by default. */
  readonly outputs?: number;
  /** Outputs that a graph output reads; none by default, as it would freeze their channels. */
  readonly read?: readonly number[];
}

/** What the channel rule of an operator made of labels, written as text. */
export interface ChannelLabels {
  /** Labels of each input, as those of the outputs: `1: a0` for the second where it is tied to the first. */
  readonly inputs: readonly string[];
  /**
   * Labels of each output, its bundles joined by `, `: `1: a0` for those of axis 0 of the first input, in order, on axis 1; `1: a0.2 a0.0` for two of them; `1x2: a0` for a matrix of them; `1: ?` for new
   * ones; empty for none.
   */
  readonly outputs: readonly string[];
  /** Why axes of the inputs cannot be cut, for those where no index can: `{ a1: 'Relu 'node': …' }`. */
  readonly frozen: Readonly<Record<string, string>>;
  /** What the node mixes. */
  readonly inexact: readonly string[];
  /** Axes of inputs that make channels. */
  readonly sources: readonly string[];
  readonly coupling: Coupling;
}

const LETTERS = 'abcdefgh';

/**
 * Applies one operator to constants and gives what became of their labels. An input is a tensor, `null`, or text: `float32[2, 6]`, or `float32[2, 6] as [2, 2, 3]` for one whose labelled axes a Reshape has
 * split, or `feed float32[2, 6]` for an input of the graph, which carries none. Inputs are called a, b, c, …
 */
export function channelLabels(
  opType: string,
  inputs: readonly (string | Tensor | null)[],
  options: ChannelLabelsOptions = {},
): ChannelLabels {
  const domain = options.domain ?? '';
  const graph = new Graph({ opset: domain === '' ? (options.opset ?? 18) : 18 });
  if (domain !== '') graph.opsetImports.set(domain, options.opset ?? 1);
  const builder = new GraphBuilder(graph);
  const constants: (Value | null)[] = [];
  const values = inputs.map((input, index) => {
    if (input === null) {
      constants.push(null);
      return null;
    }
    if (typeof input === 'string' && input.startsWith('feed ')) {
      constants.push(null);
      const { tensor } = parse(input.slice(5));
      return builder.input(LETTERS[index]!, tensor.dtype, tensor.shape);
    }
    const { tensor, split } = input instanceof Tensor ? { tensor: input, split: null } : parse(input);
    const constant = builder.constant(tensor, LETTERS[index]);
    constants.push(constant);
    return split
      ? builder.op('Reshape', [constant, builder.constant(Tensor.int64(split), 'split')])
      : constant;
  });
  const made = builder.ops(opType, values, {
    name: 'node',
    domain,
    outputs: options.outputs ?? 1,
    ...(options.attributes ? { attributes: options.attributes } : {}),
  });
  for (const index of options.read ?? []) graph.addOutput(made[index]!);
  const coupling = analyzeChannels(graph);
  const inGraph = (value: Value): Value => coupling.graph.value(value.name);
  const names = new Map<number, string>();
  const sizes = new Map<string, number>();
  const frozen: Record<string, string> = {};
  constants.forEach((constant, index) => {
    for (const { axes, labels } of constant ? coupling.channels(inGraph(constant)) : []) {
      const axis = `${LETTERS[index]}${axes.join('x')}`;
      sizes.set(axis, labels.length);
      labels.forEach((label, at) => {
        const root = coupling.find(label);
        if (!names.has(root)) names.set(root, `${axis}.${at}`);
      });
      const reasons = [...labels].map((label) => coupling.frozen(label));
      if (reasons[0] && reasons.every((reason) => reason !== null)) frozen[axis] = reasons[0];
    }
  });
  const written = (channels: Channels): string =>
    [...channels]
      .sort((a, b) => a.axes[0]! - b.axes[0]!)
      .map(({ axes, labels }) => `${axes.join('x')}: ${inWords(labels, coupling, names, sizes)}`)
      .join(', ');
  return {
    inputs: constants.map((value) => (value ? written(coupling.channels(inGraph(value))) : '')),
    outputs: made.map((value) => written(coupling.channels(inGraph(value)))),
    frozen,
    inexact: coupling.inexact.map(({ node, why }) => `${node.label}: ${why}`),
    sources: coupling.sources.map(({ value, axis }) => `${value.name}${axis}`),
    coupling,
  };
}

function inWords(
  labels: Int32Array,
  coupling: Coupling,
  names: ReadonlyMap<number, string>,
  sizes: ReadonlyMap<string, number>,
): string {
  const own = [...labels].map((label) => names.get(coupling.find(label)) ?? '?');
  const [axis = ''] = own[0]?.split('.') ?? [];
  const whole = own.length === sizes.get(axis) && own.every((name, index) => name === `${axis}.${index}`);
  return whole || own.every((name) => name === '?') ? axis : own.join(' ');
}

function parse(text: string): { tensor: Tensor; split: number[] | null } {
  const [, dtype = '', dims = '', , split] = /^(\w+)\[([\d, ]*)\]( as \[([\d, ]*)\])?$/.exec(text) ?? [];
  if (!Object.hasOwn(DTYPES, dtype)) throw new Error(`'${text}' names no dtype`);
  const sizes = (list: string): number[] =>
    list.split(',').flatMap((dim) => (dim.trim() === '' ? [] : [Number(dim)]));
  return {
    tensor: Tensor.zeros(dtype as DType, sizes(dims)),
    split: split === undefined ? null : sizes(split),
  };
}
