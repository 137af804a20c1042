/** A point of a drawing, in pixels. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Something to be placed. */
export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** Where everything stands. */
export interface Placed extends Extent {
  /** Middles, in the order of the extents. */
  readonly middles: readonly Point[];
  /** The way of each edge from middle to middle, clipped at both ends. */
  readonly ways: readonly (readonly Point[])[];
}

/** Nodes from which on the quicker way of ranking is taken. */
const MANY = 1500;

/**
 * Places things in layers, from the top down, with few crossings (dagre, after Gansner et al. 1993). `edges` are pairs of indices, each pair once. The same input gives the same
 * places. The library is loaded on the first call.
 */
export async function placeInLayers(
  extents: readonly Extent[],
  edges: readonly (readonly [from: number, to: number])[],
): Promise<Placed> {
  const { Graph, layout } = await import('@dagrejs/dagre');
  const graph = new Graph();
  graph.setGraph({
    rankdir: 'TB',
    nodesep: 22,
    edgesep: 12,
    ranksep: 30,
    ranker: extents.length > MANY ? 'longest-path' : 'network-simplex',
  });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const [index, { width, height }] of extents.entries()) graph.setNode(String(index), { width, height });
  for (const [from, to] of edges) graph.setEdge(String(from), String(to));
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const pointOf = ({ x, y }: Point): Point => ({ x, y });
  return {
    width: extents.length === 0 ? 0 : width,
    height: extents.length === 0 ? 0 : height,
    middles: extents.map((_, index) => pointOf(graph.node(String(index)) as Point)),
    ways: edges.map(([from, to]) => {
      const { points = [] } = graph.edge(String(from), String(to)) as { points?: Point[] };
      return points.map(pointOf);
    }),
  };
}
