import { dtypeInfo } from '../core/dtype.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Attribute, AttributeString } from './attribute.ts';
import type { Graph } from './graph.ts';
import type { Node } from './node.ts';
import { printType } from './types.ts';
import type { Value } from './value.ts';

const MOST_ELEMENTS = 8;

/**
 * A graph as text, a line a value or node, in the manner of ONNX's own text format:
 *
 * ```
 * main <opset 17> (input: float32[batch, 1, 32, 32]) -> (output: float32[batch, 10]) {
 *   conv1.weight = float32[6, 1, 3, 3]
 *   /conv1/Conv_output_0: float32[batch, 6, 30, 30] = Conv<kernel_shape=[3, 3]>(input, conv1.weight)  # /conv1/Conv
 * }
 * ```
 */
export function printGraph(graph: Graph, indent = ''): string {
  const inner = `${indent}  `;
  const typed = (value: Value): string => `${value.name}: ${printType(value.type)}`;
  const opsets = [...graph.opsetImports].map(
    ([domain, version]) => `${domain ? `${domain} ` : 'opset '}${version}`,
  );
  const head = `${graph.name}${graph.parent ? '' : ` <${opsets.join(', ')}>`}`;
  const lines = [
    `${indent}${head} (${graph.feeds.map(typed).join(', ')}) -> (${graph.outputs.map(typed).join(', ')}) {`,
  ];
  for (const value of graph.initializers) {
    lines.push(
      `${inner}${value.name} = ${value.initializer ? printTensor(value.initializer) : printType(value.type)}`,
    );
  }
  for (const node of graph.nodes) lines.push(printNode(node, inner));
  lines.push(`${indent}}`);
  return lines.join('\n');
}

/** One node as text, its subgraphs below it. */
export function printNode(node: Node, indent = ''): string {
  const outputs = node.outputs.map((value) => (value ? `${value.name}: ${printType(value.type)}` : '_'));
  const attributes: string[] = [];
  const bodies: string[] = [];
  for (const [name, attribute] of node.attributes) {
    attributes.push(`${name}=${printAttribute(attribute)}`);
    if (attribute.kind === 'graph') bodies.push(printGraph(attribute.value, `${indent}  `));
  }
  const operator = node.domain && node.domain !== 'ai.onnx' ? `${node.domain}.${node.opType}` : node.opType;
  const inputs = node.inputs.map((value) => value?.name ?? '_').join(', ');
  const list = attributes.length > 0 ? `<${attributes.join(', ')}>` : '';
  const line = `${indent}${outputs.join(', ')} = ${operator}${list}(${inputs})${node.name ? `  # ${node.name}` : ''}`;
  return [line, ...bodies].join('\n');
}

/** `int64[2] {1, -1}`; the elements are left out where there are more than eight. */
export function printTensor(tensor: Tensor): string {
  if (tensor.size > MOST_ELEMENTS) return tensor.toString();
  if (tensor.dtype === 'string')
    return `${tensor} {${tensor.strings.map((text) => JSON.stringify(text)).join(', ')}}`;
  const { kind, bits } = dtypeInfo(tensor.dtype);
  const readable = kind !== 'complex' && bits >= 8 && (kind !== 'float' || bits >= 32);
  return readable
    ? `${tensor} {${Array.from<number | bigint, string>(tensor.data, String).join(', ')}}`
    : tensor.toString();
}

function printAttribute(attribute: Attribute): string {
  switch (attribute.kind) {
    case 'reference':
      return `@${attribute.name}`;
    case 'string':
      return printString(attribute.value);
    case 'tensor':
      return printTensor(attribute.value);
    case 'graph':
      return attribute.value.name;
    case 'sparse-tensor':
      return `sparse[${attribute.value.dims.join(', ')}]`;
    case 'type':
      return printType(attribute.value);
    case 'floats':
    case 'ints':
      return `[${attribute.value.join(', ')}]`;
    case 'strings':
      return `[${attribute.value.map(printString).join(', ')}]`;
    case 'tensors':
    case 'graphs':
    case 'sparse-tensors':
    case 'types':
      return `[${attribute.value.length} ${attribute.kind}]`;
    default:
      return String(attribute.value);
  }
}

const printString = (value: AttributeString): string =>
  typeof value === 'string' ? JSON.stringify(value) : `<${value.byteLength} bytes>`;
