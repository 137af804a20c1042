import { Tensor } from '../core/tensor.ts';
import type { Graph, Node, Value } from '../ir/index.ts';
import { findOperator, type RunningNorm, weightLayoutOf } from '../ops/index.ts';
import type { PassResult } from './pass.ts';
import { removeUnused } from './remove-unused.ts';

/**
 * Folds batch norms into the convolutions before them:
 *
 * 1. a Conv with constant weight (and bias), read by nothing but a BatchNormalization in inference mode with constant scale, bias, mean and variance, takes over what that does: `W γ / √(σ² + ε)` and `β + (b - μ) γ / √(σ² + ε)`;
 * 2. all must be float32; what is in training mode is left alone;
 * 3. constants that others read too stay for those.
 *
 * Each step is rounded to float32 in the order of YOLOv5's `fuse_conv_and_bn`, so that the weights equal those of its exports. They are new tensors, the weight under its name, the bias under that of a PyTorch layer (`conv.bias`). The graph
 * computes what it computed, up to rounding.
 */
export function foldBatchNorm(graph: Graph): PassResult {
  let modified = false;
  for (const node of [...graph.nodes]) {
    const norm = findOperator(node.domain, node.opType)?.runningNorm?.(node);
    if (norm && typeof norm !== 'string') modified = fold(graph, node, norm) || modified;
  }
  if (modified) removeUnused(graph);
  return { graph, modified };
}

function fold(graph: Graph, node: Node, norm: RunningNorm): boolean {
  const x = node.inputs[0];
  const conv = x?.producer;
  const biasInput = conv && findOperator(conv.domain, conv.opType)?.weightedSum?.(conv).bias;
  const layout = conv && weightLayoutOf(conv);
  if (!x || !conv || conv.graph !== graph || typeof biasInput !== 'number' || !layout) return false;
  // A convolution has its outputs first, a transposed one does not.
  if (layout.kernel.length === 0 || layout.output !== 0) return false;
  if (x.consumers.length !== 1 || x.isOutput) return false;
  const weight = floats(conv.inputs[1]);
  const given = conv.inputs[biasInput];
  const bias = given ? floats(given)?.data : new Float32Array(weight?.shape[0] ?? 0);
  const [scale, shift, mean, variance] = [norm.scale, norm.bias, norm.mean, norm.variance].map(
    (input) => floats(node.inputs[input])?.data,
  );
  if (!weight || !bias || !scale || !shift || !mean || !variance) return false;
  const { epsilon } = norm;
  const f = Math.fround;
  const channels = weight.shape[0]!;
  const perChannel = weight.data.length / channels;
  const folded = new Float32Array(weight.data.length);
  const biases = new Float32Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    const deviation = f(Math.sqrt(f(f(epsilon) + variance[channel]!)));
    const factor = f(scale[channel]! / deviation);
    for (let at = channel * perChannel; at < (channel + 1) * perChannel; at++)
      folded[at] = factor * weight.data[at]!;
    const shifted = f(shift[channel]! - f(f(scale[channel]! * mean[channel]!) / deviation));
    biases[channel] = f(factor * bias[channel]!) + shifted;
  }
  const weightName = conv.input(1).name;
  const biasName =
    given?.name ??
    (weightName.endsWith('weight') ? `${weightName.slice(0, -'weight'.length)}bias` : `${weightName}_bias`);
  setConstant(graph, conv, 1, weightName, new Tensor('float32', weight.shape, folded));
  setConstant(graph, conv, biasInput, biasName, new Tensor('float32', [channels], biases));
  const output = node.output();
  const { name, type } = output;
  output.replaceAllUsesWith(x);
  graph.removeNode(node);
  // What was the batch norm's is the convolution's now, under the name that outputs of the graph have.
  if (x.isOutput) graph.rename(x, name);
  x.type = type;
  return true;
}

/** Shape and elements of a float32 constant; null otherwise. */
function floats(
  value: Value | null | undefined,
): { readonly shape: readonly number[]; readonly data: Float32Array } | null {
  const tensor = value?.initializer;
  if (!value || tensor?.dtype !== 'float32' || value.isInput || value.isOutput) return null;
  return { shape: tensor.shape, data: tensor.float32 };
}

/** Gives a node a constant under a name; one of that name that only this node reads goes. */
function setConstant(graph: Graph, node: Node, index: number, name: string, tensor: Tensor): void {
  const old = node.inputs[index];
  const value = graph.addInitializer(graph.freshName(name), tensor);
  node.setInput(index, value);
  if (!old?.isUnused) return;
  graph.removeValue(old);
  graph.rename(value, name);
}
