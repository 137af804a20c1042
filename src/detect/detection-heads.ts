import { UnsupportedError } from '../core/errors.ts';
import { type Graph, type Node, staticShape, type Value } from '../ir/index.ts';
import { findOperator, type Inference, layerOf } from '../ops/index.ts';

/** The layer that gives one of a detector's maps, and what the map is made of. */
export interface DetectionHead {
  /** What the layer gives: `[N, anchors × numbers, rows, columns]`. */
  readonly layer: Value;
  /** The raw map in the graph: `[N, anchors, rows, columns, numbers]`. */
  readonly map: Value;
  readonly anchors: number;
  /** Numbers of a box: x, y, width, height, objectness, classes. */
  readonly numbers: number;
  readonly rows: number;
  readonly columns: number;
}

/**
 * Finds the layers that give a YOLOv5's maps: going back from decoded boxes `[N, boxes, 5 + classes]` (or from maps of five axes) they are the last that hold weights. The finest map comes first.
 *
 * Throws UnsupportedError, with what was found, where the outputs are neither, the maps do not add up to the boxes, or something is computed between layer and map.
 */
export function detectionHeads(
  graph: Graph,
  inference: Inference,
): { heads: readonly DetectionHead[]; classes: number } {
  const shapeOf = (value: Value): readonly number[] | null => staticShape(inference.get(value)?.shape);
  const told = graph.outputs
    .map(
      (output) =>
        `'${output.name}' [${
          inference
            .get(output)
            ?.shape.map((dim) => dim ?? '?')
            .join(', ') ?? '?'
        }]`,
    )
    .join(', ');
  const refused = (why: string): UnsupportedError =>
    new UnsupportedError(
      `rawDetector: expected a YOLOv5, with boxes [N, boxes, 5 + classes] or raw maps [N, anchors, ny, nx, 5 + classes] as outputs; the outputs are ${told}${why}`,
    );
  const boxes = graph.outputs.find((output) => shapeOf(output)?.length === 3);
  const outputs = boxes ? [boxes] : graph.outputs.filter((output) => shapeOf(output)?.length === 5);
  const numbers = outputs[0] && shapeOf(outputs[0])?.at(-1);
  if (numbers === undefined || numbers < 6 || outputs.some((output) => shapeOf(output)?.at(-1) !== numbers)) {
    throw refused('');
  }
  const heads = lastLayers(outputs).map((layer): DetectionHead => {
    const [, channels = 0, rows = 0, columns = 0, ...more] = shapeOf(layer) ?? [];
    const anchors = channels / numbers;
    const label = layer.producer?.label;
    if (more.length > 0 || columns === 0 || !Number.isInteger(anchors)) {
      throw refused(`; ${label} gives ${inference.get(layer)?.shape.join(' x ')}, which is no map of them`);
    }
    const map = mapBehind(layer, { anchors, numbers }, shapeOf);
    if (map === null) {
      throw refused(
        `; what ${label} gives is not simply [N, ${anchors} × ${numbers}, ny, nx] in another order, something is computed with it first`,
      );
    }
    return { layer, map, anchors, numbers, rows, columns };
  });
  heads.sort((a, b) => b.rows - a.rows);
  const cells = heads.reduce((sum, { anchors, rows, columns }) => sum + anchors * rows * columns, 0);
  const count = boxes && shapeOf(boxes)![1];
  if (count !== undefined && count !== cells) {
    throw refused(`; the maps of ${heads.length} layers before them have ${cells} boxes`);
  }
  if (heads.length === 0 || heads.some(({ anchors }) => anchors !== heads[0]!.anchors)) {
    throw refused('; no layers before them give as many anchors for each map');
  }
  return { heads, classes: numbers - 5 };
}

/** What the last layers with weights before some values give, each once. */
function lastLayers(values: readonly Value[]): Value[] {
  const found: Value[] = [];
  const seen = new Set<Value>(values);
  const waiting = [...values];
  for (let value = waiting.pop(); value; value = waiting.pop()) {
    const { producer } = value;
    if (!producer) continue;
    if (layerOf(producer) !== null) {
      found.push(value);
      continue;
    }
    for (const input of producer.inputs) {
      if (!input || seen.has(input)) continue;
      seen.add(input);
      waiting.push(input);
    }
  }
  return found;
}

/** A part of an axis, and what it counts. */
interface Factor {
  readonly of: 'batch' | 'anchor' | 'number' | 'row' | 'column';
  readonly size: number;
}

/** Order of a raw map's axes. */
const MAP = ['batch', 'anchor', 'row', 'column', 'number'];

/**
 * The value behind a layer in which its elements are ordered as a raw map: followed through operators that only move elements, knowing of each axis what it counts. Null where there is none.
 */
function mapBehind(
  layer: Value,
  { anchors, numbers }: { readonly anchors: number; readonly numbers: number },
  shapeOf: (value: Value) => readonly number[] | null,
): Value | null {
  const [batch = 1, , rows = 1, columns = 1] = shapeOf(layer) ?? [];
  let axes: readonly (readonly Factor[])[] = [
    [{ of: 'batch', size: batch }],
    [
      { of: 'anchor', size: anchors },
      { of: 'number', size: numbers },
    ],
    [{ of: 'row', size: rows }],
    [{ of: 'column', size: columns }],
  ];
  for (let value = layer; ; ) {
    if (axes.map((axis) => axis.map(({ of }) => of).join()).join(' ') === MAP.join(' ')) return value;
    const [node, ...others] = value.consumers;
    const next = node?.outputs[0];
    const shape = next && shapeOf(next);
    if (!node || !next || !shape || others.length > 0 || node.inputs[0] !== value) return null;
    const moved = movedAxes(node, axes, shape);
    if (moved === null) return null;
    axes = moved;
    value = next;
  }
}

function movedAxes(
  node: Node,
  axes: readonly (readonly Factor[])[],
  shape: readonly number[],
): readonly (readonly Factor[])[] | null {
  const operator = findOperator(node.domain, node.opType);
  if (!operator?.reshapes) {
    const moved = operator?.alias?.(node, axes.length, () => null);
    return moved?.axes.map((axis) => (axis === null ? [] : axes[axis]!)) ?? null;
  }
  const factors = axes.flat();
  const regrouped = shape.map((dim): readonly Factor[] => {
    const group: Factor[] = [];
    let held = 1;
    while (
      factors.length > 0 &&
      (held < dim || (dim === 1 && group.length === 0 && factors[0]!.size === 1))
    ) {
      const factor = factors.shift()!;
      group.push(factor);
      held *= factor.size;
    }
    return held === dim ? group : [{ of: 'batch', size: -1 }];
  });
  const isWhole = factors.length === 0 && regrouped.every((group) => group.every(({ size }) => size > 0));
  return isWhole ? regrouped : null;
}
