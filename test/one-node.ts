import { Tensor } from '../src/core/tensor.ts';
import { type Attribute, type Dim, Graph, type Node, printType } from '../src/ir/index.ts';
import {
  type Cost,
  findOperator,
  GraphBuilder,
  Inference,
  type Inferred,
  isUnsupported,
  type Layer,
  layerOf,
} from '../src/ops/index.ts';

/** What a node is built from beside its operator and inputs. */
export interface OneNodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly opset?: number;
  readonly domain?: string;
  readonly outputs?: number;
}

/** A graph of one node, and what the operator table says of it. */
export interface OneNode {
  readonly node: Node;
  readonly inference: Inference;
  /** Inferred types of the outputs as `float32[1, 3]`. */
  readonly types: readonly string[];
  readonly cost: Cost;
  readonly layer: Layer | null;
}

/**
 * Applies one operator to inputs written as `float32[batch, 3]` (graph inputs), `const float32[4]` (initializers of zeros) or `null`
 * (left out). Throws what inference throws.
 */
export function oneNode(
  opType: string,
  inputs: readonly (string | null)[],
  options: OneNodeOptions = {},
): OneNode {
  const domain = options.domain ?? '';
  const graph = new Graph({ opset: domain === '' ? (options.opset ?? 17) : 17 });
  if (domain !== '') graph.opsetImports.set(domain, options.opset ?? 1);
  const inference = new Inference();
  const builder = new GraphBuilder(graph, inference);
  const values = inputs.map((text, index) => {
    if (text === null) return null;
    const { constant, type } = parse(text);
    if (!constant) return builder.input(`input${index}`, type.dtype, type.shape);
    const shape = type.shape.map(Number);
    return builder.constant(Tensor.zeros(type.dtype, shape), `constant${index}`);
  });
  const outputs = builder.ops(opType, values, {
    name: 'node',
    domain,
    outputs: options.outputs ?? 1,
    ...(options.attributes ? { attributes: options.attributes } : {}),
  });
  const node = outputs[0]!.producer!;
  const operator = findOperator(domain, opType)!;
  const known = (value: (typeof values)[number]): Inferred | null => value && builder.inferred(value);
  return {
    node,
    inference,
    types: outputs.map((output) => printType(output.type)),
    get cost() {
      if (isUnsupported(operator.cost)) throw new Error(operator.cost.unsupported);
      return operator.cost({
        node,
        opset: graph.opset(domain),
        inputs: values.map(known),
        outputs: outputs.map(known),
      });
    },
    layer: layerOf(node),
  };
}

function parse(text: string): { constant: boolean; type: Inferred } {
  const [, prefix, dtype, dims] = /^(const )?(\w+)\[(.*)\]$/.exec(text) ?? [];
  const shape = dims!.split(',').flatMap((dim): Dim[] => {
    const trimmed = dim.trim();
    if (trimmed === '') return [];
    if (trimmed === '?') return [null];
    return [/^\d+$/.test(trimmed) ? Number(trimmed) : trimmed];
  });
  return { constant: prefix !== undefined, type: { dtype: dtype as Inferred['dtype'], shape } };
}
