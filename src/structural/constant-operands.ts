import { fromFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import type { Node, Value } from '../ir/index.ts';
import { findOperator } from '../ops/index.ts';
import type { ChannelView } from './channel-view.ts';
import type { ConstantChannels } from './constant-channels.ts';
import type { ObservedChannels } from './observed-channels.ts';
import { bypass } from './remove-blocks.ts';

/** An operand of a sum or product that is the same whatever the graph is fed with. */
export interface ConstantOperand {
  readonly node: Node;
  readonly index: number;
  readonly value: Value;
}

/** Sums and products of two values of which one depends on the graph's inputs and the other does not, though it is computed. One for each value and node. */
export function constantOperands(view: ChannelView, constants: ConstantChannels): ConstantOperand[] {
  const found: ConstantOperand[] = [];
  for (const node of view.flow.nodes) {
    const operator = findOperator(node.domain, node.opType);
    if ((!operator?.sum && !operator?.product) || node.inputs.length !== 2) continue;
    const index = node.inputs.findIndex(
      (value) => value && view.reads(node).includes(value) && constants.isWhole(value),
    );
    const value = node.inputs[index];
    const other = node.inputs[1 - index];
    // The constant is broadcast: the sizes must be those of the other operand.
    if (!value || !other || !view.reads(node).includes(other) || constants.isWhole(other)) continue;
    if (!haveSameType(view, other, node.output())) continue;
    if (view.bundle(value)?.axes.length === 1) found.push({ node, index, value });
  }
  return found;
}

/**
 * Puts constants in place of operands that hold the same number in each channel everywhere; a sum with nothing but zeros is left out. What computed them is then not needed any more. Edits the view's graph; gives a sentence
 * for each that was replaced.
 */
export function replaceConstantOperands(
  view: ChannelView,
  operands: readonly ConstantOperand[],
  observed: ObservedChannels,
): string[] {
  const done: string[] = [];
  for (const { node, index, value } of operands) {
    const numbers = numbersOf(view, value, observed);
    const type = view.coupling.inference.get(value);
    const tensor =
      numbers && type && tensorOf(type.dtype, type.shape.length, view.bundle(value)!.axes[0]!, numbers);
    if (!numbers || !tensor) continue;
    const from = value.producer?.label ?? `'${value.name}'`;
    const other = node.input(1 - index);
    const output = node.output();
    const isSum = findOperator(node.domain, node.opType)?.sum ?? false;
    if (isSum && numbers.every((number) => number === 0)) {
      bypass(other, output);
      done.push(`${node.label}: adds only zeros, which come from ${from}; it is left out`);
    } else {
      const { graph } = value;
      node.setInput(index, graph.addInitializer(graph.freshName(`${value.name}_constant`), tensor));
      done.push(`${node.label}: what comes from ${from} is constant, and stands there now`);
    }
  }
  return done;
}

/** The number in each channel of a value; null where one is not the same everywhere. */
function numbersOf(view: ChannelView, value: Value, observed: ObservedChannels): Float64Array | null {
  const { labels } = view.bundle(value)!;
  const numbers = new Float64Array(labels.length);
  for (const [index, label] of labels.entries()) {
    const content = observed.content(value, view.coupling.find(label));
    if (content?.kind === 'uniform') numbers[index] = content.value;
    else if (content?.kind !== 'zero') return null;
  }
  return numbers;
}

/** Channels on one axis, the others of size 1. */
function tensorOf(dtype: string, rank: number, axis: number, numbers: Float64Array): Tensor | null {
  const shape = Array.from({ length: rank }, (_, own) => (own === axis ? numbers.length : 1));
  if (dtype === 'float64') return new Tensor('float64', shape, numbers);
  const tensor = new Tensor('float32', shape, Float32Array.from(numbers));
  return dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16'
    ? fromFloat32(tensor, dtype)
    : null;
}

function haveSameType(view: ChannelView, a: Value, b: Value): boolean {
  const [one, two] = [view.coupling.inference.get(a), view.coupling.inference.get(b)];
  return one?.dtype === two?.dtype && one?.shape.join() === two?.shape.join();
}
