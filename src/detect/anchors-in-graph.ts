import type { Node, Value } from '../ir/index.ts';
import type { Anchors } from '../models/index.ts';
import type { DetectionHead } from './detection-heads.ts';

/**
 * Anchors in pixels as the constants of a decoded graph hold them: for each map the `[1, anchors, 1 or rows, 1 or columns, 2]` that its boxes are multiplied by, whose numbers are above 0 and the same in every cell. Null where not every
 * map has exactly one.
 */
export function anchorsInGraph(heads: readonly DetectionHead[]): Anchors | null {
  const behind = heads.map(({ map }) => nodesBehind(map));
  const anchors: number[][] = [];
  for (const [index, head] of heads.entries()) {
    const own = [...behind[index]!].filter((node) =>
      behind.every((nodes, at) => at === index || !nodes.has(node)),
    );
    const found = new Set<string>();
    for (const constant of constantsOf(own, behind)) {
      const sizes = sizesIn(constant, head);
      if (sizes !== null) found.add(sizes.join());
    }
    if (found.size !== 1) return null;
    anchors.push([...found][0]!.split(',').map(Number));
  }
  return anchors;
}

/** Nodes that what a value holds goes into. */
function nodesBehind(value: Value): ReadonlySet<Node> {
  const nodes = new Set<Node>(value.consumers);
  // A set goes on over what is added to it.
  for (const node of nodes) {
    for (const output of node.outputs) for (const next of output?.consumers ?? []) nodes.add(next);
  }
  return nodes;
}

/** Constants that nodes read, directly or by way of nodes that no map goes into. */
function constantsOf(nodes: readonly Node[], behind: readonly ReadonlySet<Node>[]): readonly Value[] {
  const values = new Set<Value>();
  const add = (node: Node): void => {
    for (const input of node.inputs) if (input) values.add(input);
  };
  for (const node of nodes) add(node);
  for (const { producer } of values) {
    if (producer && !behind.some((known) => known.has(producer))) add(producer);
  }
  return [...values].filter(({ initializer }) => initializer !== null);
}

function sizesIn({ initializer }: Value, { anchors, rows, columns }: DetectionHead): number[] | null {
  if (initializer?.dtype !== 'float32') return null;
  const [one, count, high, wide, two] = initializer.shape;
  const isOfCells = (high === 1 || high === rows) && (wide === 1 || wide === columns);
  if (initializer.shape.length !== 5 || one !== 1 || count !== anchors || two !== 2 || !isOfCells)
    return null;
  const data = initializer.float32;
  const perAnchor = data.length / anchors;
  const sizes = Array.from({ length: 2 * anchors }, (_, at) => data[(at >> 1) * perAnchor + (at % 2)]!);
  const isSame = data.every((size, at) => {
    const anchor = Math.floor(at / perAnchor);
    return size > 0 && size === sizes[2 * anchor + (at % 2)];
  });
  return isSame ? sizes : null;
}
