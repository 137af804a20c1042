import { dtypeInfo } from '../core/dtype.ts';
import { ArgumentError, UnsupportedError } from '../core/errors.ts';
import type { Graph, Node, Value } from '../ir/index.ts';
import {
  type Composition,
  Expressions,
  findOperator,
  GRADIENT_OPSET,
  type GradContext,
  type GraphBuilder,
  isUnsupported,
  rewriteContext,
} from '../ops/index.ts';

/** What is differentiated, and after what. */
export interface AddGradientsOptions {
  /** The value that is differentiated, such as a loss. */
  readonly of: Value;
  /** The values after which it is differentiated: parameters, inputs, or anything computed on the way. */
  readonly withRespectTo: readonly Value[];
  /** Gradient that flows into `of`, of its shape; 1 by default, and then `of` must have one element. */
  readonly gradOutput?: Value | null;
  /** Nodes of the graph whose gradient is known as a whole. One of them is taken only where nothing of `withRespectTo` is made inside it. */
  readonly compositions?: readonly Composition[];
}

/**
 * Adds nodes that compute gradients to the graph of a builder, which must have inferred it; gives one value for each of `withRespectTo`, or null where
 * `of` does not depend on it. Reverse mode: nodes are visited once, from `of` back, and only those that lie on a way from `withRespectTo` are asked for
 * their rule. Nothing that was computed changes. Linear in nodes and edges.
 *
 * Throws UnsupportedError, which names the node, where an operator on the way has no gradient or none here; ArgumentError where `of` has several elements and no
 * `gradOutput`, is no floating-point value, or the graph is older than opset 18 (`upgradeOpset` brings it there).
 */
export function addGradients(builder: GraphBuilder, options: AddGradientsOptions): (Value | null)[] {
  const { of, withRespectTo } = options;
  const { graph } = builder;
  const make = new Expressions(builder);
  checkGraph(graph, make, options);
  const sources = new Set(withRespectTo);
  const order = graph.nodes;
  const dependent = reachedFrom(sources, order);
  /** What flows into a value, contribution by contribution. */
  const flows = new Map<Value, Value[]>();
  if (dependent.has(of)) flows.set(of, [options.gradOutput ?? make.full(1, make.dtype(of), make.shape(of))]);
  const add = (value: Value | null | undefined, gradient: Value | null): void => {
    if (!gradient || !value || !dependent.has(value)) return;
    flows.set(value, [...(flows.get(value) ?? []), gradient]);
  };
  const total = (value: Value | null): Value | null => {
    const parts = value && flows.get(value);
    if (!value || !parts) return null;
    // Adding up may already bring a gradient that broadcasts to the whole shape.
    const sum = make.expand(make.sum(parts), make.shape(value));
    flows.set(value, [sum]);
    return sum;
  };
  const wholes = lastNodes(options.compositions ?? [], sources);
  for (const node of [...order].reverse()) {
    const whole = wholes.get(node);
    if (whole === 'inside') continue;
    if (whole) {
      if (!whole.outputs.some((output) => flows.has(output))) continue;
      const inputs = whole.inputs();
      const needs = (index: number): boolean => dependent.has(inputs[index]!);
      const gradients = whole.grad({ make, gradOutputs: whole.outputs.map(total), needs });
      gradients.forEach((gradient, index) => {
        add(inputs[index], gradient);
      });
      continue;
    }
    if (!node.outputs.some((output) => output && flows.has(output) && dependent.has(output))) continue;
    if (!readsAny(node, dependent)) continue;
    const gradients = gradientsOf(node, builder, make, dependent, node.outputs.map(total));
    gradients.forEach((gradient, index) => {
      add(node.inputs[index], gradient);
    });
  }
  return withRespectTo.map(total);
}

/**
 * Compositions by the last of their nodes, at which their gradient is taken; the other nodes are passed over. All that reads the outputs comes later in the graph.
 */
function lastNodes(
  compositions: readonly Composition[],
  sources: ReadonlySet<Value>,
): ReadonlyMap<Node, Composition | 'inside'> {
  const places = new Map<Node, Composition | 'inside'>();
  for (const composition of compositions) {
    const { nodes } = composition;
    if (nodes.some((node) => node.outputs.some((output) => output && sources.has(output)))) continue;
    for (const node of nodes) places.set(node, 'inside');
    const last = nodes.at(-1);
    if (last) places.set(last, composition);
  }
  return places;
}

/** Values that depend on the sources, the sources among them. What is not floating-point carries no gradient further. */
function reachedFrom(sources: ReadonlySet<Value>, order: readonly Node[]): ReadonlySet<Value> {
  const reached = new Set(sources);
  for (const node of order) {
    if (!readsAny(node, reached)) continue;
    for (const output of node.outputs) if (output) reached.add(output);
  }
  return reached;
}

/** True where a node, or a node of its subgraphs, reads one of the values. */
function readsAny(node: Node, values: ReadonlySet<Value>): boolean {
  if (node.inputs.some((input) => input !== null && values.has(input))) return true;
  return node.subgraphs.some((graph) => graph.nodes.some((inner) => readsAny(inner, values)));
}

function gradientsOf(
  node: Node,
  builder: GraphBuilder,
  make: Expressions,
  dependent: ReadonlySet<Value>,
  gradOutputs: readonly (Value | null)[],
): readonly (Value | null)[] {
  const operator = findOperator(node.domain, node.opType);
  if (!operator) {
    throw new UnsupportedError(
      `${node.label}: no gradient is known, as the operator is not in the table; keep what depends on it out of training`,
    );
  }
  const inferred = (value: Value): boolean => dtypeInfo(make.dtype(value)).kind === 'float';
  const needs = (index: number): boolean => {
    const input = node.inputs[index];
    return Boolean(input && dependent.has(input) && inferred(input));
  };
  if (!node.inputs.some((_, index) => needs(index)) && node.subgraphs.length === 0) return [];
  if (isUnsupported(operator.grad)) {
    throw new UnsupportedError(`${node.label}: has no gradient: ${operator.grad.unsupported}`);
  }
  const base = rewriteContext(node, make);
  const context: GradContext = {
    ...base,
    gradOutputs,
    get grad() {
      const gradient = gradOutputs[0];
      if (gradient) return gradient;
      throw base.unsupported('the gradient flows through another output than the first, which has no rule');
    },
    output: (index) => {
      const output = node.ensureOutput(index);
      builder.infer(node);
      return output;
    },
    needs,
  };
  return operator.grad(context);
}

function checkGraph(graph: Graph, make: Expressions, { of, gradOutput }: AddGradientsOptions): void {
  const opset = graph.opset();
  if (opset < GRADIENT_OPSET) {
    throw new ArgumentError(
      `gradient: graph '${graph.name}' is written for opset ${opset}, expected at least ${GRADIENT_OPSET}; bring it there with upgradeOpset`,
    );
  }
  const dtype = make.dtype(of);
  if (dtypeInfo(dtype).kind !== 'float') {
    throw new ArgumentError(`gradient: '${of.name}' is ${dtype}; only floating-point values have gradients`);
  }
  const shape = make.shape(of);
  if (!gradOutput && shape.some((size) => size !== 1)) {
    throw new ArgumentError(
      `gradient: '${of.name}' has shape [${shape.join(', ')}]; expected one element, or give gradOutput of that shape`,
    );
  }
}
