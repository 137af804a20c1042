import { ArgumentError, UnsupportedError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, cloneGraph, type Graph, staticShape, tensorType, type Value } from '../ir/index.ts';
import { type Anchors, COCO_ANCHORS, YOLOV5_STRIDES } from '../models/index.ts';
import type { NotFitting } from '../nn/index.ts';
import { inferShapes } from '../ops/index.ts';
import { liftConstants, removeUnused } from '../passes/index.ts';
import { anchorsInGraph } from './anchors-in-graph.ts';
import { parseClassNames } from './class-names.ts';
import { type DetectionHead, detectionHeads } from './detection-heads.ts';
import { parseAnchors, setDetectorMetadata } from './detector-metadata.ts';
import { replaceHeads } from './replace-heads.ts';

/** Options of `rawDetector`. */
export interface RawDetectorOptions {
  /** Anchors in pixels, for each map; by default those in the file. */
  readonly anchors?: Anchors;
  /** Another number of classes: the layers that give the maps get fresh weights for it, the rest stays. Default the model's own. */
  readonly classes?: number;
}

/** A detector's graph of raw maps, and what decodes them. */
export interface RawDetector {
  /** Gives a map `[N, anchors, ny, nx, 5 + classes]` for each stride. Its weights are those of the graph it was made from. */
  readonly graph: Graph;
  readonly anchors: Anchors;
  /** Pixels of the image per cell of each map. */
  readonly strides: readonly number[];
  readonly classes: number;
  /** Names of the classes; null where the file does not say, or has others. */
  readonly names: readonly string[] | null;
  /** Where the anchors are from: the options, the file's metadata, the constants that boxes are scaled by, or, where none of them has any, Ultralytics' anchors for COCO. */
  readonly anchorsFrom: 'options' | 'metadata' | 'graph' | 'coco';
  /** Weights that were replaced for another number of classes, with the shapes they have now (`expected`) and had (`found`). */
  readonly replaced: readonly NotFitting[];
}

/** What sizes are inferred at where the file leaves them open: heights and widths of maps must differ. */
const PROBE = [320, 448] as const;

/**
 * The raw maps out of a YOLOv5 whose boxes are decoded (or that gives its maps already), as training wants them. The layers that give the maps are found by the shapes that they lead to, whatever they are called; decoding is left out. The
 * graph takes any batch and size of images where nothing in it is made for one. Its metadata tell names, stride and anchors.
 *
 * Throws UnsupportedError where the outputs are not those of a YOLOv5 or the maps are not found, ArgumentError for anchors that do not fit or that nothing tells. The graph given is not changed.
 */
export function rawDetector(graph: Graph, options: RawDetectorOptions = {}): RawDetector {
  const { graph: copy } = cloneGraph(graph);
  liftConstants(copy);
  const feed = onlyImage(copy);
  const shape = feed.type?.kind === 'tensor' ? feed.type.shape : null;
  const side = (axis: number): number => {
    const dim = shape?.[axis];
    return typeof dim === 'number' ? dim : PROBE[axis - 2]!;
  };
  const batch = typeof shape?.[0] === 'number' ? shape[0] : 1;
  const [height, width] = [side(2), side(3)];
  const inference = inferShapes(copy, { shapes: { [feed.name]: [batch, 3, height, width] } });
  const { heads: found, classes: own } = detectionHeads(copy, inference);
  let heads = found;
  let replaced: readonly NotFitting[] = [];
  const strides = heads.map(({ rows, columns }) => strideOf(height, rows, width, columns));
  const { anchors, anchorsFrom } = chosenAnchors(copy, heads, strides, options.anchors);
  const classes = options.classes ?? own;
  if (classes !== own) ({ heads, replaced } = replaceHeads(copy, heads, classes, { anchors, strides }));
  const named = classes === own ? copy.meta.metadata.get('names') : undefined;
  const names = named === undefined ? null : parseClassNames(named);
  while (copy.outputs.length > 0) copy.removeOutput(copy.outputs.length - 1);
  const maps = heads.map((head, index) => addMap(copy, head, index));
  for (const map of maps) copy.addOutput(map);
  removeUnused(copy);
  maps.forEach((map, index) => {
    const name = index === 0 ? 'output' : `output_${index}`;
    if (copy.find(name) === undefined) copy.rename(map, name);
  });
  openSizes(copy, heads, strides);
  copy.meta.metadata.delete('names');
  setDetectorMetadata(copy, { names, strides, anchors });
  return { graph: copy, anchors, strides, classes, names, anchorsFrom, replaced };
}

function onlyImage(graph: Graph): Value {
  const [feed, ...others] = graph.feeds;
  const type = feed?.type?.kind === 'tensor' ? feed.type : null;
  const channels = type?.shape?.[1];
  if (
    feed &&
    others.length === 0 &&
    type?.shape?.length === 4 &&
    (channels === 3 || typeof channels !== 'number')
  )
    return feed;
  throw new UnsupportedError(
    `rawDetector: expected one input of images [N, 3, H, W], got ${graph.feeds.map(({ name }) => `'${name}'`).join(', ') || 'none'}`,
  );
}

function strideOf(height: number, rows: number, width: number, columns: number): number {
  const stride = height / rows;
  if (Number.isInteger(stride) && width / columns === stride) return stride;
  throw new UnsupportedError(
    `rawDetector: a map of ${rows} x ${columns} cells does not divide an image of ${height} x ${width} evenly`,
  );
}

function chosenAnchors(
  graph: Graph,
  heads: readonly DetectionHead[],
  strides: readonly number[],
  given: Anchors | undefined,
): Pick<RawDetector, 'anchors' | 'anchorsFrom'> {
  const perMap = heads[0]!.anchors;
  const fits = (anchors: Anchors): boolean =>
    anchors.length === heads.length && anchors.every((sizes) => sizes.length === 2 * perMap);
  if (given !== undefined) {
    if (fits(given)) return { anchors: given, anchorsFrom: 'options' };
    throw new ArgumentError(
      `rawDetector: the model has ${heads.length} maps of ${perMap} anchors each; got anchors for ${given.length} maps of ${given.map((sizes) => sizes.length / 2).join(', ')}`,
    );
  }
  const text = graph.meta.metadata.get('anchors');
  const told = text === undefined ? null : parseAnchors(text);
  if (told !== null && fits(told)) return { anchors: told, anchorsFrom: 'metadata' };
  const found = anchorsInGraph(heads);
  if (found !== null) return { anchors: found, anchorsFrom: 'graph' };
  if (fits(COCO_ANCHORS) && strides.every((stride, map) => stride === YOLOV5_STRIDES[map])) {
    return { anchors: COCO_ANCHORS, anchorsFrom: 'coco' };
  }
  throw new ArgumentError(
    `rawDetector: neither the file's metadata nor its constants tell the anchors of ${heads.length} maps of ${perMap}; give \`anchors\``,
  );
}

/**
 * The map of a head's layer. Its axes are taken over one by one (a 0 in the target of Reshape), so that nothing depends on the batch or the size: `[N, anchors × numbers, ny, nx]` to `[N, ny, nx, anchors, numbers]` to
 * `[N, anchors, ny, nx, numbers]`.
 */
function addMap(graph: Graph, { layer, anchors, numbers }: DetectionHead, index: number): Value {
  const name = (what: string): string => `/detect/${what}_${index}`;
  const turned = graph.addNode({
    opType: 'Transpose',
    name: name('CellsFirst'),
    inputs: [layer],
    attributes: { perm: attr.ints([0, 2, 3, 1]) },
  });
  const target = graph.addInitializer(
    graph.freshName(name('Shape')),
    Tensor.int64([0, 0, 0, anchors, numbers]),
  );
  const split = graph.addNode({ opType: 'Reshape', name: name('Split'), inputs: [turned.output(), target] });
  const map = graph.addNode({
    opType: 'Transpose',
    name: name('Map'),
    inputs: [split.output()],
    attributes: { perm: attr.ints([0, 3, 1, 2, 4]) },
  });
  return map.output();
}

/** Lets the graph take any batch and size, where shapes at another one come out as many times larger; it stays as it is elsewhere. */
function openSizes(graph: Graph, heads: readonly DetectionHead[], strides: readonly number[]): void {
  const feed = graph.feeds[0]!;
  const type = feed.type?.kind === 'tensor' ? feed.type : null;
  if (!type?.shape) return;
  const declared = new Map([...graph.values].map((value) => [value, value.type]));
  // Declared shapes are those of the old size.
  for (const value of graph.values) {
    if (!value.isInitializer && value !== feed && value.type?.kind === 'tensor')
      value.type = tensorType(value.type.dtype, null);
  }
  const coarsest = Math.max(...strides);
  const follows = (batch: number, height: number, width: number): boolean => {
    try {
      const inference = inferShapes(graph, { shapes: { [feed.name]: [batch, 3, height, width] } });
      return graph.outputs.every((output, map) => {
        const { anchors, numbers } = heads[map]!;
        const wanted = [batch, anchors, height / strides[map]!, width / strides[map]!, numbers];
        return String(staticShape(inference.get(output)?.shape)) === String(wanted);
      });
    } catch {
      // Shapes that contradict each other are the answer: a size is built in.
      return false;
    }
  };
  if (follows(2, 5 * coarsest, 7 * coarsest) && follows(3, 8 * coarsest, 2 * coarsest)) {
    feed.type = tensorType(type.dtype, ['batch', 3, 'height', 'width']);
    const inference = inferShapes(graph);
    for (const output of graph.outputs) output.type = inference.type(output);
    return;
  }
  for (const [value, before] of declared) value.type = before;
}
