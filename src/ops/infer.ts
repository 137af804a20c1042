import { ShapeError } from '../core/errors.ts';
import {
  type FunctionDefinition,
  type Graph,
  type Node,
  normalizeDomain,
  printType,
  type Shape,
  type TensorType,
  tensorType,
  type Value,
} from '../ir/index.ts';
import { callBody } from './function-call.ts';
import { inferredOf, MOST_KNOWN } from './infer-constant.ts';
import type { InferContext, Inferred, Known } from './operator.ts';
import { evaluateDim } from './symbolic.ts';
import { findOperator } from './table.ts';

/** Deepest nesting of subgraphs and function calls that is followed. */
const DEEPEST = 64;

/** How a graph is to be inferred. */
export interface InferOptions {
  /** Shapes of graph inputs by name, in place of the declared ones. */
  readonly shapes?: Readonly<Record<string, Shape>>;
  /** Sizes of symbolic dimensions by name, such as `{ batch: 1 }`. */
  readonly symbols?: Readonly<Record<string, number>>;
  /** Called before a node of the graph itself (not of a subgraph) is inferred; may give it other inputs, once it has inferred those. */
  readonly before?: (node: Node, inference: Inference) => void;
}

/** A node whose outputs could not be inferred, and why. */
export interface NotInferred {
  readonly node: Node;
  readonly why: string;
}

/** Dtypes, shapes and known elements of a graph's values. */
export class Inference {
  readonly #types = new Map<Value, Inferred>();
  readonly #notInferred = new Map<Node, string>();

  /** Nodes without a rule, or with inputs of which too little is known. A call of a function stands for the nodes in it. */
  get notInferred(): readonly NotInferred[] {
    return [...this.#notInferred].map(([node, why]) => ({ node, why }));
  }

  /** What is known of a value; null where nothing is. */
  get(value: Value): Inferred | null {
    return this.#types.get(value) ?? null;
  }

  /** The value's tensor type, for `Value.type`. */
  type(value: Value): TensorType | null {
    const inferred = this.#types.get(value);
    return inferred ? tensorType(inferred.dtype, inferred.shape) : null;
  }

  /** Notes that a node could not be inferred, or (null) that it could: bodies of loops are inferred more than once. */
  note(node: Node, why: string | null): void {
    if (why === null) this.#notInferred.delete(node);
    else if (!this.#notInferred.has(node)) this.#notInferred.set(node, why);
  }

  /** Notes what is known of a value. */
  set(value: Value, inferred: Inferred | null): void {
    if (inferred) this.#types.set(value, inferred);
    else this.#types.delete(value);
  }
}

/**
 * Infers dtype and shape of every value of a graph, and the elements of those that shape arithmetic makes, without running it.
 * The graph is not changed. Linear in nodes.
 *
 * Throws ShapeError where inputs do not fit an operator. Operators without a rule are listed in `notInferred`; their outputs have the
 * types the file declares, if any.
 */
export function inferShapes(graph: Graph, options: InferOptions = {}): Inference {
  const inference = new Inference();
  for (const name of Object.keys(options.shapes ?? {})) {
    if (!graph.inputs.some((input) => input.name === name)) {
      const names = graph.inputs.map((input) => `'${input.name}'`).join(', ');
      throw new ShapeError(`Graph '${graph.name}': no input is named '${name}'; its inputs are ${names}`);
    }
  }
  for (const input of graph.inputs) inference.set(input, declared(input, options));
  inferBody(graph, { inference, options, functions: graph.meta.functions, depth: 0 });
  return inference;
}

/** Writes inferred types into the values of the graph. */
export function annotateTypes(graph: Graph, inference: Inference): void {
  for (const value of graph.values) value.type = inference.type(value) ?? value.type;
}

/** Infers one node from what is known of its inputs; used while a graph is built node by node. */
export function inferNode(node: Node, inference: Inference, options: InferOptions = {}): void {
  visit(node, { inference, options, functions: node.graph.meta.functions, depth: 0 });
}

/** What is handed down from graph to subgraph and function. */
interface Run {
  readonly inference: Inference;
  readonly options: InferOptions;
  /** Functions of the model; bodies of functions call them too. */
  readonly functions: readonly FunctionDefinition[];
  readonly depth: number;
}

function declared(value: Value, options: InferOptions): Inferred | null {
  const { type } = value;
  if (type?.kind !== 'tensor' || type.dtype === null) return null;
  const given = options.shapes?.[value.name];
  if (given && type.shape && given.length !== type.shape.length) {
    throw new ShapeError(
      `Input '${value.name}': expects ${type.shape.length} dimensions (${printType(type)}), got [${given.join(', ')}]`,
    );
  }
  const shape = given ?? type.shape;
  if (!shape) return null;
  const symbols = options.symbols ?? {};
  return {
    dtype: type.dtype,
    shape: shape.map((dim) => evaluateDim(dim, symbols)),
  };
}

function inferBody(graph: Graph, run: Run): void {
  const { inference } = run;
  for (const value of graph.values) {
    if (value.initializer) inference.set(value, inferredOf(value.initializer));
    else if (value.sparseInitializer) {
      const { values, dims } = value.sparseInitializer;
      inference.set(value, { dtype: values.dtype, shape: dims });
    }
  }
  for (const node of graph.nodes) {
    if (run.depth === 0) run.options.before?.(node, inference);
    visit(node, run);
  }
}

function visit(node: Node, run: Run): void {
  const { inference, options, depth } = run;
  inference.note(node, null);
  const inputs = node.inputs.map((value) => value && inference.get(value));
  const fail = (why: string): void => {
    inference.note(node, why);
    for (const output of node.outputs) if (output) inference.set(output, declared(output, options));
  };
  const operator = findOperator(node.domain, node.opType);
  const body = operator ? undefined : findFunction(node, run.functions);
  if (!operator && !body) {
    fail(`operator ${node.opType} is not in the operator table`);
    return;
  }
  const unknown = node.inputs.findIndex((value, index) => value !== null && inputs[index] === null);
  if (unknown >= 0) {
    fail(`nothing is known of its input ${unknown} '${node.inputs[unknown]?.name}'`);
    return;
  }
  if (depth > DEEPEST) {
    fail(`subgraphs and functions are nested deeper than ${DEEPEST}`);
    return;
  }

  const inferSubgraph = (graph: Graph, given: readonly (Inferred | null)[]): (Inferred | null)[] => {
    graph.inputs.forEach((input, index) => {
      inference.set(input, given[index] ?? declared(input, options));
    });
    inferBody(graph, { ...run, depth: depth + 1 });
    return graph.outputs.map((output) => inference.get(output));
  };
  const note = (results: readonly (Inferred | null)[]): void => {
    node.outputs.forEach((output, index) => {
      if (!output) return;
      const result = results[index] ?? null;
      inference.set(output, result ? limited(result) : declared(output, options));
      if (!result) inference.note(node, `nothing can be said of its output ${index}`);
    });
  };
  if (body) {
    note(inferFunction(body, node, inputs, run));
    return;
  }
  if (operator) note(operator.infer(contextOf(node, inputs, inferSubgraph)));
}

const limited = (inferred: Inferred): Inferred =>
  inferred.known && inferred.known.length > MOST_KNOWN
    ? { dtype: inferred.dtype, shape: inferred.shape }
    : inferred;

function findFunction(node: Node, functions: readonly FunctionDefinition[]): FunctionDefinition | undefined {
  const domain = normalizeDomain(node.domain);
  return functions.find(
    (candidate) =>
      normalizeDomain(candidate.domain) === domain &&
      candidate.name === node.opType &&
      candidate.overload === node.overload,
  );
}

/** A call's body sees the call's inputs alone, and its attributes where it refers to them. */
function inferFunction(
  body: FunctionDefinition,
  node: Node,
  inputs: readonly (Inferred | null)[],
  run: Run,
): (Inferred | null)[] {
  const graph = callBody(body, node);
  const inference = new Inference();
  graph.inputs.forEach((input, index) => {
    inference.set(input, inputs[index] ?? null);
  });
  inferBody(graph, { ...run, inference, depth: run.depth + 1 });
  const [first] = inference.notInferred;
  if (first) run.inference.note(node, `in its body, ${first.node.label}: ${first.why}`);
  return graph.outputs.map((output) => inference.get(output));
}

function contextOf(
  node: Node,
  inputs: readonly (Inferred | null)[],
  inferSubgraph: InferContext['inferSubgraph'],
): InferContext {
  const error = (message: string): ShapeError =>
    new ShapeError(`${node.label}: ${message}${describeInputs(node, inputs)}`);
  const known = (index: number): readonly Known[] | undefined => inputs[index]?.known;
  return {
    node,
    opset: node.graph.opset(node.domain),
    inputs,
    input(index) {
      const input = inputs[index];
      if (input) return input;
      throw error(`input ${index} is required and missing`);
    },
    known,
    numbers(index) {
      const elements = known(index);
      if (!elements) return undefined;
      const numbers: number[] = [];
      for (const element of elements) {
        if (typeof element !== 'number') return undefined;
        numbers.push(element);
      }
      return numbers;
    },
    error,
    inferSubgraph,
  };
}

function describeInputs(node: Node, inputs: readonly (Inferred | null)[]): string {
  const described = node.inputs.flatMap((value, index) => {
    const input = inputs[index];
    return value && input ? [`${value.name} ${printType(tensorType(input.dtype, input.shape))}`] : [];
  });
  return described.length > 0 ? ` (${described.join('; ')})` : '';
}
