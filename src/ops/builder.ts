import type { DType } from '../core/dtype.ts';
import { GraphError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import {
  type Attribute,
  Graph,
  type Node,
  type Shape,
  staticShape,
  tensorType,
  type Value,
} from '../ir/index.ts';
import { Inference, inferNode } from './infer.ts';
import { inferredOf } from './infer-constant.ts';
import type { Inferred } from './operator.ts';

/** What `GraphBuilder.op` takes beside operator and inputs. */
export interface OpOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Number of outputs; 1 by default. */
  readonly outputs?: number;
  readonly name?: string;
  readonly domain?: string;
}

/**
 * Builds a graph node by node and infers as it goes, so that the type of every value is known as soon as it is made.
 * It may continue a graph that has nodes already.
 */
export class GraphBuilder {
  readonly graph: Graph;
  readonly #inference: Inference;

  /** Continues `graph`, or starts a new one. Nodes already there must have been inferred into `inference`. */
  constructor(graph: Graph = new Graph(), inference: Inference = new Inference()) {
    this.graph = graph;
    this.#inference = inference;
  }

  /** Adds a graph input. */
  input(name: string, dtype: DType, shape: Shape): Value {
    const value = this.graph.addInput(name, tensorType(dtype, shape));
    this.#inference.set(value, { dtype, shape });
    return value;
  }

  /** Adds a constant; the tensor is shared. The name is made unique. */
  constant(tensor: Tensor, name = 'constant'): Value {
    const value = this.graph.addInitializer(this.graph.freshName(name), tensor);
    this.#inference.set(value, inferredOf(tensor));
    return value;
  }

  /** Adds a node and gives its outputs. Throws ShapeError where the inputs do not fit; the node is not added then. */
  ops(opType: string, inputs: readonly (Value | null)[], options: OpOptions = {}): readonly Value[] {
    const node: Node = this.graph.addNode({
      opType,
      inputs,
      outputs: options.outputs ?? 1,
      ...(options.attributes ? { attributes: options.attributes } : {}),
      ...(options.name ? { name: options.name } : {}),
      ...(options.domain ? { domain: options.domain } : {}),
    });
    try {
      inferNode(node, this.#inference);
    } catch (error) {
      this.graph.removeNode(node);
      throw error;
    }
    return node.outputs.map((_, index) => {
      const output = node.output(index);
      output.type = this.#inference.type(output);
      return output;
    });
  }

  /** Adds a node and gives its first output. Throws ShapeError as `ops`, and GraphError where it is to have no output. */
  op(opType: string, inputs: readonly (Value | null)[], options: OpOptions = {}): Value {
    if (options.outputs === 0) throw new GraphError(`${opType}: has no output`);
    return this.ops(opType, inputs, options)[0]!;
  }

  /** Infers a node of the graph again, after it was changed. Throws ShapeError where its inputs do not fit. */
  infer(node: Node): void {
    inferNode(node, this.#inference);
    for (const output of node.outputs) if (output) output.type = this.#inference.type(output);
  }

  /** A constant of zeros with dtype and shape of a value, whose sizes must be known. Throws GraphError where they are not. */
  zeros(like: Value): Value {
    const { dtype, shape } = this.inferred(like);
    const sizes = staticShape(shape);
    if (!sizes) throw new GraphError(`Value '${like.name}': its sizes are not known`);
    return this.constant(Tensor.zeros(dtype, sizes), `${like.name}_zeros`);
  }

  /** What is known of a value. Throws GraphError where nothing is. */
  inferred(value: Value): Inferred {
    const inferred = this.#inference.get(value);
    if (inferred) return inferred;
    throw new GraphError(`Value '${value.name}': its type is not known`);
  }

  /** Makes a value an output of the graph, under that name where one is given. */
  output(value: Value, name?: string): void {
    if (name !== undefined) this.graph.rename(value, name);
    this.graph.addOutput(value);
  }
}
