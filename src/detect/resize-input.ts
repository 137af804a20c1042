import { sizeOf, stridesOf, Tensor } from '../core/tensor.ts';
import { cloneGraph, type Graph, type Node, staticShape, tensorType, type Value } from '../ir/index.ts';
import { findOperator, type Inference, inferShapes } from '../ops/index.ts';
import { liftConstants } from '../passes/index.ts';

/**
 * A copy of a detector of one input [N, 3, H, W] for another height and width. Exports of a fixed size have it in the targets of their `Reshape`s and in grids of cells: both get the new size, grids by going on as they
 * go on from cell to cell. Weights are shared with the original.
 *
 * Gives null where the size cannot be changed so: the boxes would not become as many more as there are pixels, a constant does not go on evenly, or shapes contradict each other.
 */
export function resizeInput(graph: Graph, height: number, width: number): Graph | null {
  const type = graph.feeds[0]?.type;
  const declared = type?.kind === 'tensor' ? type.shape : null;
  if (graph.feeds.length !== 1 || !type || type.kind !== 'tensor' || declared?.length !== 4) return null;
  // What takes any number of images is looked at with one.
  const shape = staticShape([typeof declared[0] === 'number' ? declared[0] : 1, ...declared.slice(1)]);
  if (shape === null) return null;
  const base = cloneGraph(graph).graph;
  liftConstants(base);
  base.feeds[0]!.type = tensorType(type.dtype, shape);
  const { graph: copy, nodes } = cloneGraph(base);
  copy.feeds[0]!.type = tensorType(type.dtype, [shape[0]!, shape[1]!, height, width]);
  // Declared shapes are those of the old size.
  for (const value of copy.values)
    if (!value.isInitializer && !copy.feeds.includes(value) && value.type?.kind === 'tensor')
      value.type = tensorType(value.type.dtype, null);
  const originals = new Map([...nodes].map(([original, node]) => [node, original]));
  try {
    const before = inferShapes(base);
    const after = inferShapes(copy, {
      before: (node, inference) => {
        const original = originals.get(node);
        if (original) adapt(original, before, node, inference);
      },
    });
    const boxes = (of: Graph, inference: Inference): number | undefined =>
      of.outputs
        .map((output) => staticShape(inference.get(output)?.shape))
        .find((own) => own?.length === 3)?.[1];
    const [was, now] = [boxes(base, before), boxes(copy, after)];
    const grows =
      was !== undefined && now !== undefined && now * shape[2]! * shape[3]! === was * height * width;
    if (!grows) return null;
    copy.feeds[0]!.type = tensorType(type.dtype, [declared[0] ?? null, shape[1]!, height, width]);
    return copy;
  } catch {
    // Shapes that contradict each other are the answer: this graph has its size built in.
    return null;
  }
}

function adapt(original: Node, before: Inference, node: Node, inference: Inference): void {
  const shapes = (of: Node, known: Inference): (readonly number[] | null)[] =>
    of.inputs.map((input) => (input ? staticShape(known.get(input)?.shape) : null));
  const [was, now] = [shapes(original, before), shapes(node, inference)];
  const operator = findOperator(node.domain, node.opType);
  if (operator?.reshapes && operator.shapeInput !== undefined) {
    const target = node.inputs[operator.shapeInput];
    const sizes = target && staticShape(inference.get(target)?.known);
    const output = original.outputs[0] && staticShape(before.get(original.outputs[0])?.shape);
    if (!target || !sizes || !output || !was[0] || !now[0]) return;
    const changed = reshaped(was[0], now[0], output);
    if (changed === null) return;
    // Sizes that are left open (-1) or taken over (0) need no change.
    const wanted = sizes.map((size, axis) => (size > 0 ? changed[axis]! : size));
    if (wanted.every((size, axis) => size === sizes[axis])) return;
    replace(node, operator.shapeInput, Tensor.int64(wanted), inference, wanted);
    return;
  }
  // Constants of the size of a map: grids of cells, and anchors for each cell.
  if (!operator?.broadcasts) return;
  for (const [index, other] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const tensor = node.inputs[index]?.initializer;
    const [old, fresh] = [was[other], now[other]];
    if (!tensor || !old || !fresh || old.length !== fresh.length || tensor.dtype !== 'float32') continue;
    const skipped = old.length - tensor.shape.length;
    if (skipped < 0) continue;
    let grown: Tensor | null = tensor;
    tensor.shape.forEach((dim, axis) => {
      const [from, to] = [old[axis + skipped]!, fresh[axis + skipped]!];
      if (dim !== 1 && dim === from && from !== to) grown = grown && continued(grown, axis, to);
    });
    if (grown !== null && grown !== tensor) replace(node, index, grown, inference);
  }
}

function replace(
  node: Node,
  index: number,
  tensor: Tensor,
  inference: Inference,
  known?: readonly number[],
): void {
  const name = node.graph.freshName(`${node.inputs[index]!.name}_resized`);
  const value: Value = node.graph.addInitializer(name, tensor);
  inference.set(value, { dtype: tensor.dtype, shape: tensor.shape, ...(known ? { known } : {}) });
  node.setInput(index, value);
}

/**
 * The shape that a reshaped tensor has when its input is of another size: axes are taken together until they hold as many elements on both sides; one axis of the output holds what its axes of the
 * input hold. Null where that does not tell.
 */
function reshaped(
  was: readonly number[],
  now: readonly number[],
  output: readonly number[],
): number[] | null {
  if (was.length !== now.length || sizeOf(was) !== sizeOf(output)) return null;
  const shape: number[] = [];
  let [from, to] = [0, 0];
  while (from < was.length || to < output.length) {
    const [startFrom, startTo] = [from, to];
    let [held, given] = [was[from++] ?? 1, output[to++] ?? 1];
    while (held !== given) {
      if (held < given) held *= was[from++] ?? Number.POSITIVE_INFINITY;
      else given *= output[to++] ?? Number.POSITIVE_INFINITY;
      if (!Number.isFinite(held) || !Number.isFinite(given)) return null;
    }
    const isSame = was.slice(startFrom, from).every((dim, axis) => dim === now[startFrom + axis]);
    if (isSame) shape.push(...output.slice(startTo, to));
    else if (to - startTo === 1) shape.push(sizeOf(now.slice(startFrom, from)));
    else return null;
  }
  return shape.length === output.length ? shape : null;
}

/** A tensor with more or fewer places on an axis, each as far from the one before as the others; null where they are not evenly apart. */
function continued(tensor: Tensor, axis: number, size: number): Tensor | null {
  const count = tensor.shape[axis]!;
  const data = tensor.float32;
  const stride = stridesOf(tensor.shape)[axis]!;
  const outer = tensor.size / (count * stride);
  const out = new Float32Array(outer * size * stride);
  for (let row = 0; row < outer; row++) {
    for (let inner = 0; inner < stride; inner++) {
      const at = (place: number): number => data[(row * count + place) * stride + inner]!;
      const first = at(0);
      const step = at(1) - first;
      // In float32 steps of a grid in pixels may differ in the last bit.
      const slack = 1e-5 * Math.max(1, Math.abs(at(count - 1)));
      for (let place = 0; place < count; place++)
        if (!(Math.abs(first + place * step - at(place)) <= slack)) return null;
      for (let place = 0; place < size; place++)
        out[(row * size + place) * stride + inner] = place < count ? at(place) : first + place * step;
    }
  }
  const shape = tensor.shape.map((dim, place) => (place === axis ? size : dim));
  return new Tensor('float32', shape, out);
}
