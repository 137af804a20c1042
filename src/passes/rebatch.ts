import { sizeOf, Tensor } from '../core/tensor.ts';
import { cloneGraph, type Graph, type Node, staticShape, tensorType } from '../ir/index.ts';
import { findOperator, type Inference, inferShapes } from '../ops/index.ts';

/**
 * A copy of a graph whose inputs have another batch size, for graphs exported with a fixed one. Target shapes that hold the old batch size
 * (`Reshape` to [2, 4, 6, 8, 8], or to [17, 2 * 4, 8] inside attention) get the new one. Weights are shared with the original.
 *
 * Gives null where the batch cannot be changed so: inputs of different or unknown batch, or shapes that do not follow through to the
 * outputs.
 */
export function rebatch(graph: Graph, batch: number): Graph | null {
  const old = batchOf(graph);
  if (old === null) return null;
  const { graph: copy, nodes } = cloneGraph(graph);
  for (const input of copy.feeds) {
    if (input.type?.kind === 'tensor' && input.type.shape) {
      input.type = tensorType(input.type.dtype, [batch, ...input.type.shape.slice(1)]);
    }
  }
  if (old === batch) return copy;
  const originals = new Map([...nodes].map(([original, node]) => [node, original]));
  try {
    const before = inferShapes(graph);
    const after = inferShapes(copy, {
      before: (node, inference) => {
        const original = originals.get(node);
        if (original) changeTargetShape(original, before, node, inference, old, batch);
      },
    });
    return follows(graph, before, copy, after, old, batch) ? copy : null;
  } catch {
    // Shapes that contradict each other are the answer: this graph has its batch size built in.
    return null;
  }
}

/** The batch size all inputs agree on; null where there is none. */
function batchOf(graph: Graph): number | null {
  let batch: number | null = null;
  for (const { type } of graph.feeds) {
    const first = type?.kind === 'tensor' ? type.shape?.[0] : undefined;
    if (typeof first !== 'number' || (batch !== null && batch !== first)) return null;
    batch = first;
  }
  return batch;
}

function changeTargetShape(
  original: Node,
  before: Inference,
  node: Node,
  inference: Inference,
  old: number,
  batch: number,
): void {
  const index = findOperator(node.domain, node.opType)?.shapeInput;
  const [target, data] = index === undefined ? [] : [node.inputs[index], node.inputs[0]];
  const sizes = target && staticShape(inference.get(target)?.known);
  const output = original.outputs[0] && staticShape(before.get(original.outputs[0])?.shape);
  if (index === undefined || !target || !sizes || !output || sizes.length !== output.length) return;
  const was = original.inputs[0] && staticShape(before.get(original.inputs[0])?.shape);
  const now = data && staticShape(inference.get(data)?.shape);
  const axis =
    was && now && sizeOf(was) === sizeOf(output)
      ? batchAxisAfter(was, now, output)
      : sizes[0] === old
        ? 0
        : null;
  // A size that is left open, or was computed from the new batch already, needs no change.
  if (axis === null || sizes[axis] !== output[axis]) return;
  const changed = sizes.map((size, place) => (place === axis ? (size * batch) / old : size));
  const name = node.graph.freshName(`${target.name}_batch_${batch}`);
  const value = node.graph.addInitializer(name, Tensor.int64(changed));
  inference.set(value, { dtype: 'int64', shape: [changed.length], known: changed });
  node.setInput(index, value);
}

/**
 * The axis of a reshaped tensor that the batch is in. The batch axis of the input is the one that changed; it spans the places from `ahead`, the
 * number of elements before it, to `behind`. Of the output's axes that overlap this span and can shrink alike, one that begins at `ahead` is the
 * batch; else the first (`[17, 2 * 4, 8]` to `[17 * 2, 32]` and back to `[17, 2, 32]`). Null where there is none.
 */
function batchAxisAfter(
  was: readonly number[],
  now: readonly number[],
  output: readonly number[],
): number | null {
  const axis = was.findIndex((dim, place) => dim !== now[place]);
  if (axis < 0 || was.length !== now.length) return null;
  const ahead = sizeOf(was.slice(0, axis));
  const behind = ahead * was[axis]!;
  const [from, to] = [was[axis]!, now[axis]!];
  const begins = output.map((_, place) => sizeOf(output.slice(0, place)));
  // A batch of 1 spans no elements: it is the axis of size 1 where it would begin, or multiplies what begins there.
  if (from === 1) {
    const here = [...output.keys()].filter((place) => begins[place] === ahead);
    return here.find((place) => output[place] === 1) ?? here[0] ?? null;
  }
  const candidates = output.flatMap((dim, place) => {
    const begin = begins[place]!;
    const overlaps = begin < behind && ahead < begin * dim;
    return overlaps && (dim * to) % from === 0 ? [place] : [];
  });
  return candidates.find((place) => begins[place] === ahead) ?? candidates[0] ?? null;
}

/** True where every output changed in its first axis alone, from the old batch size to the new. */
function follows(
  graph: Graph,
  before: Inference,
  copy: Graph,
  after: Inference,
  old: number,
  batch: number,
): boolean {
  return graph.outputs.every((output, index) => {
    const other = copy.outputs[index];
    const was = staticShape(before.get(output)?.shape);
    const now = staticShape(other && after.get(other)?.shape);
    return (
      was !== null &&
      now !== null &&
      was.length === now.length &&
      was.every((dim, axis) => (axis === 0 && dim === old ? now[0] === batch : dim === now[axis]))
    );
  });
}
