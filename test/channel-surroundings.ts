/** Samples of operators with layers around them: what the operator reads is made by layers that can be cut, and what it gives is read by others. */
import { type DType, dtypeInfo } from '../src/core/dtype.ts';
import { Generator } from '../src/core/random.ts';
import { sizeOf, Tensor } from '../src/core/tensor.ts';
import { attr, type Graph, type Node, staticShape, tensorType, type Value } from '../src/ir/index.ts';
import { findOperator, type Inference, inferShapes } from '../src/ops/index.ts';
import { analyzeChannels } from '../src/structural/index.ts';
import { someInput } from './conformance.ts';
import { type BuiltSample, graphOf, type Sample } from './operator-samples/sample.ts';

/** Which axes of the inputs carry channels. */
export interface Labelling {
  readonly name: string;
  /**
   * Sets of axes of an input of this rank. A set of one is the output axis of a layer; of several, what a layer's output axis was split into: rows first.
   */
  readonly sets: (rank: number) => readonly (readonly number[])[];
}

/** Makes nodes behind what is there. */
type Make = (opType: string, inputs: readonly (Value | number)[]) => Value;

const atLeastOne = (make: Make, value: Value): Value => make('Add', [make('Abs', [value]), 1]);

const atMostMinusOne = (make: Make, value: Value): Value => make('Neg', [atLeastOne(make, value)]);

const large = (make: Make, value: Value): Value => make('Mul', [value, 8]);

/** What is done to numbers in (-1, 1), where an operator is not defined on them, makes the same of all, or seldom takes the zero of a silenced channel. */
const PREPARED: Readonly<Record<string, (make: Make, value: Value) => Value>> = {
  Acosh: atLeastOne,
  Div: atLeastOne,
  GlobalMaxPool: atMostMinusOne,
  Log: atLeastOne,
  Mod: atLeastOne,
  Pow: atLeastOne,
  Reciprocal: atLeastOne,
  ReduceLogSum: atLeastOne,
  ReduceMax: atMostMinusOne,
  ReduceMin: atLeastOne,
  Sqrt: atLeastOne,
  Cast: large,
  CastLike: large,
  Round: large,
  Shrink: large,
  ThresholdedRelu: large,
  IsInf: (make, value) => make('Reciprocal', [make('Relu', [value])]),
  IsNaN: (make, value) => make('Sqrt', [value]),
};

const PRODUCED: ReadonlySet<string> = new Set(['float32', 'int32', 'uint8', 'int8', 'bool']);

/** Ways of labelling inputs of these ranks: all axes, each alone, neighbours as a matrix in either order, three as a block. Axes count from the front, and from the back where ranks differ. */
export function labellings(ranks: readonly number[]): readonly Labelling[] {
  const most = Math.max(0, ...ranks);
  const result: Labelling[] = [];
  const add = (name: string, sets: Labelling['sets']): void => {
    result.push({
      name,
      sets: (rank) => sets(rank).filter((set) => set.every((axis) => axis >= 0 && axis < rank)),
    });
  };
  if (most > 1) add('all axes', (rank) => Array.from({ length: rank }, (_, axis) => [axis]));
  for (const back of ranks.some((rank) => rank !== most) ? [false, true] : [false]) {
    const from = (rank: number): number => (back ? rank - most : 0);
    const side = back ? ' from the back' : '';
    for (let axis = 0; axis < most; axis++) {
      add(`axis ${axis}${side}`, (rank) => [[axis + from(rank)]]);
      if (axis + 1 >= most) continue;
      add(`axes ${axis}, ${axis + 1}${side}`, (rank) => [[axis + from(rank), axis + 1 + from(rank)]]);
      add(`axes ${axis + 1}, ${axis}${side}`, (rank) => [[axis + 1 + from(rank), axis + from(rank)]]);
      if (axis + 2 < most)
        add(`axes ${axis} to ${axis + 2}${side}`, (rank) => [
          [0, 1, 2].map((next) => axis + next + from(rank)),
        ]);
    }
  }
  return result;
}

/** Inputs of a sample that layers can be put before. */
export const produced = (graph: Graph): readonly Value[] =>
  graph.feeds.filter(({ type }) => type?.kind === 'tensor' && PRODUCED.has(type.dtype ?? ''));

/** A sample with static sizes. Weights are drawn from the seed around the sample's, as equal ones would not tell which was cut; what steers the operator stays. */
export function staticSample(
  opType: string,
  domain: string,
  sample: Sample | BuiltSample,
  seed: number,
): Graph {
  const { graph, sizes } = graphOf(opType, domain, sample);
  for (const feed of graph.feeds) {
    if (feed.type?.kind !== 'tensor') continue;
    const shape = feed.type.shape?.map((dim) => (typeof dim === 'string' ? sizes[dim]! : dim));
    feed.type = tensorType(feed.type.dtype, shape ?? null);
  }
  const random = new Generator(seed);
  const node = graph.nodes.find((own) => own.opType === opType)!;
  const { steering = [], shapeInput } = findOperator(domain, opType)!;
  node.inputs.forEach((value, index) => {
    if (!value?.initializer || steering.includes(index) || shapeInput === index) return;
    value.initializer = varied(value.initializer, random);
  });
  return graph;
}

function varied(tensor: Tensor, random: Generator): Tensor {
  const factors = random.uniform(tensor.size, 0.5, 1.5);
  if (tensor.dtype === 'float32')
    return new Tensor(
      'float32',
      tensor.shape,
      Float32Array.from(tensor.toNumbers(), (number, at) => number * factors[at]!),
    );
  if (tensor.dtype === 'uint8' && tensor.size > 1)
    return new Tensor('uint8', tensor.shape, Uint8Array.from(random.randint(tensor.size, 0, 4)));
  return tensor;
}

/**
 * Puts layers around the node of a sample: before each input, a matrix product along each labelled axis (and a Reshape that splits it), behind each output one along each axis that carries channels then. Numbers are few bits long
 * before the node, so that no sum of them is rounded. Null where no axis is labelled.
 */
export function surrounded(graph: Graph, node: Node, labelling: Labelling, seed: number): Graph | null {
  const random = new Generator(seed);
  const build = new Surroundings(graph, random);
  let labelled = 0;
  for (const feed of produced(graph)) labelled += build.produce(feed, labelling, PREPARED[node.opType]);
  if (labelled === 0) return null;
  while (graph.outputs.length > 0) graph.removeOutput(0);
  graph.sort();
  const inference = inferShapes(graph);
  const coupling = analyzeChannels(graph);
  node.outputs.forEach((output, index) => {
    if (!output || !staticShape(inference.get(output)?.shape)) return;
    const channels = coupling.channels(coupling.graph.value(output.name));
    // Places that MaxPool found may be read only where all its channels stay.
    if (channels.length === 0 && index > 0) return;
    build.consume(
      output,
      channels.map(({ axes }) => axes),
      inference,
    );
  });
  // Nothing is known of outputs whose sizes are data.
  if (graph.outputs.length === 0) return null;
  graph.check();
  return graph;
}

class Surroundings {
  readonly #graph: Graph;
  readonly #random: Generator;
  #layers = 0;

  constructor(graph: Graph, random: Generator) {
    this.#graph = graph;
    this.#random = random;
  }

  /** Puts layers before a feed; gives how many. */
  produce(feed: Value, labelling: Labelling, prepare?: (make: Make, value: Value) => Value): number {
    const graph = this.#graph;
    if (feed.type?.kind !== 'tensor' || !feed.type.dtype) return 0;
    const { dtype } = feed.type;
    const shape = staticShape(feed.type.shape) ?? [];
    const sets = labelling
      .sets(shape.length)
      .map((set) => set.filter((axis) => shape[axis]! > 1))
      .filter((set) => set.length > 0);
    if (sets.length === 0 && dtype !== 'float32') return 0;
    const source = graph.addInput(graph.freshName(`${feed.name}_source`), tensorType('float32', shape));
    let value = source;
    for (const set of sets) value = this.#along(value, shape, set);
    if (prepare) value = prepare((opType, inputs) => this.#make(opType, inputs), value);
    feed.replaceAllUsesWith(this.#as(dtype, value));
    graph.removeValue(feed);
    return sets.length;
  }

  /** Puts layers behind an output, one for each set of axes, and makes what they give an output of the graph. */
  consume(output: Value, sets: readonly (readonly number[])[], inference: Inference): void {
    const { dtype, shape } = inference.get(output)!;
    let sizes = staticShape(shape)!.slice();
    let value = dtype === 'float32' ? output : this.#op('Cast', [output], { to: attr.int(1) });
    // Where each axis of the output is now.
    let places = sizes.map((_, axis) => axis);
    for (const set of sets) {
      const last = set.map((axis) => places.indexOf(axis));
      const others = [...sizes.keys()].filter((place) => !last.includes(place));
      const width = sizeOf(last.map((place) => sizes[place]!));
      value = this.#transposed(value, [...others, ...last]);
      sizes = [...others.map((place) => sizes[place]!), width];
      if (last.length > 1) value = this.#reshaped(value, sizes);
      value = this.#op('MatMul', [value, this.#weight('reader', [width, 2])]);
      sizes[sizes.length - 1] = 2;
      places = [...others.map((place) => places[place]!), -1];
    }
    this.#graph.addOutput(value);
  }

  /** A layer along axes, taken together as one. */
  #along(value: Value, shape: readonly number[], set: readonly number[]): Value {
    const width = sizeOf(set.map((axis) => shape[axis]!));
    const others = [...shape.keys()].filter((axis) => !set.includes(axis));
    const order = [...others, ...set];
    const turned = order.map((axis) => shape[axis]!);
    let made = this.#transposed(value, order);
    if (set.length > 1) made = this.#reshaped(made, [...others.map((axis) => shape[axis]!), width]);
    made = this.#op('MatMul', [
      made,
      this.#weight('maker', [width, width], 2 ** -Math.ceil(Math.log2(width))),
    ]);
    if (set.length > 1) made = this.#reshaped(made, turned);
    return this.#transposed(
      made,
      [...shape.keys()].map((axis) => order.indexOf(axis)),
    );
  }

  #as(dtype: DType, value: Value): Value {
    if (dtype === 'bool') return this.#make('Greater', [value, 0]);
    if (dtype === 'float32') return value;
    const signed = this.#make('Mul', [value, 16]);
    const whole = dtype === 'uint8' ? this.#make('Abs', [signed]) : signed;
    return this.#op('Cast', [whole], { to: attr.int(dtypeInfo(dtype).onnx) });
  }

  #weight(name: string, shape: readonly number[], scale = 1): Value {
    const data = Float32Array.from(
      this.#random.randint(sizeOf(shape), -4, 5),
      (number) => (scale * (number === 0 ? 0.5 : number)) / 4,
    );
    return this.#graph.addInitializer(`${name}${this.#layers++}.weight`, new Tensor('float32', shape, data));
  }

  #make(opType: string, inputs: readonly (Value | number)[]): Value {
    return this.#op(
      opType,
      inputs.map((input) => (typeof input === 'number' ? this.#number(input) : input)),
    );
  }

  #number(number: number): Value {
    return this.#graph.addInitializer(
      this.#graph.freshName('number'),
      Tensor.of(Float32Array.of(number), []),
    );
  }

  #transposed(value: Value, perm: readonly number[]): Value {
    return perm.every((axis, place) => axis === place)
      ? value
      : this.#op('Transpose', [value], { perm: attr.ints(perm) });
  }

  #reshaped(value: Value, shape: readonly number[]): Value {
    return this.#op('Reshape', [
      value,
      this.#graph.addInitializer(this.#graph.freshName('shape'), Tensor.int64(shape)),
    ]);
  }

  #op(
    opType: string,
    inputs: readonly Value[],
    attributes: Record<string, ReturnType<typeof attr.int>> = {},
  ): Value {
    return this.#graph.addNode({ opType, inputs, outputs: 1, attributes }).output();
  }
}

/** Numbers for the inputs of a surrounded graph: multiples of 1/8, none of them 0; of other types as `someInput` gives them. */
export function feedsOf(graph: Graph, seed: number): Record<string, Tensor> {
  const random = new Generator(seed);
  const feeds: Record<string, Tensor> = {};
  for (const { name, type } of graph.feeds) {
    if (type?.kind !== 'tensor' || !type.dtype) continue;
    const shape = staticShape(type.shape) ?? [];
    if (type.dtype === 'float32') {
      const numbers = random.randint(sizeOf(shape), -8, 8);
      feeds[name] = new Tensor(
        'float32',
        shape,
        Float32Array.from(numbers, (number) => (number < 0 ? number : number + 1) / 8),
      );
    } else {
      const { data } = someInput(type.dtype, shape);
      feeds[name] = new Tensor(type.dtype, shape, data as Uint8Array);
    }
  }
  return feeds;
}
