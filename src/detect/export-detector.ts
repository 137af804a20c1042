import { ArgumentError } from '../core/errors.ts';
import { type Size, sizeOfImage } from '../data/index.ts';
import { type Dim, Graph } from '../ir/index.ts';
import {
  COCO_ANCHORS,
  type DecodedDetectorOptions,
  decodedDetector,
  YOLOV5_STRIDES,
  Yolov5,
} from '../models/index.ts';
import { type AnyModule, GraphModule, toGraph } from '../nn/index.ts';
import { setDetectorMetadata } from './detector-metadata.ts';

/** Options of `exportDetector`; anchors and strides are by default a Yolov5's own, or COCO's and 8, 16, 32. */
export interface ExportDetectorOptions extends DecodedDetectorOptions {
  /** Names of the classes, for the metadata. */
  readonly names?: readonly string[] | null;
  /** [height, width] of the images, or one number for both. Default 640. */
  readonly size?: Size;
  /** Images at once, or the name of a symbol for any number. Default `batch`, or what a graph that was read has built in. */
  readonly batch?: Dim;
  /** Decode boxes; default true. Else the outputs are the raw maps. */
  readonly decode?: boolean;
}

const SIZE = 640;

/**
 * The graph of a detector for images of one size, as Ultralytics exports it: input `images`, output `output0` `[N, boxes, 5 + classes]`, names of the classes and the stride in the metadata; the anchors, too. Without decoding the raw maps are
 * `output0`, `output1`, `output2`. Batch norms stay nodes. The graph shares the weights of the module, a `Yolov5` or any module of raw maps.
 *
 * Throws ArgumentError for a size that is no multiple of the largest stride, and where there are other classes than names.
 */
export function exportDetector(model: AnyModule, options: ExportDetectorOptions = {}): Graph {
  const { size = SIZE, decode = true, names = null } = options;
  const own = model instanceof Yolov5 ? model.detect : null;
  const anchors = options.anchors ?? own?.anchors ?? COCO_ANCHORS;
  const strides = options.strides ?? own?.strides ?? YOLOV5_STRIDES;
  const [height, width] = sizeOfImage('exportDetector', size);
  const coarsest = Math.max(...strides);
  if (height % coarsest !== 0 || width % coarsest !== 0) {
    throw new ArgumentError(
      `exportDetector: size expects multiples of the largest stride, ${coarsest}, got ${height} x ${width}`,
    );
  }
  const shape = [options.batch ?? builtInBatch(model), 3, height, width];
  const graph = traced(model, shape, { anchors, strides, decode });
  const classes = classesOf(graph);
  if (names !== null && classes !== names.length) {
    throw new ArgumentError(
      `exportDetector: there are names of ${names.length} classes; the model has ${classes}`,
    );
  }
  setDetectorMetadata(graph, { names, strides, anchors });
  return graph;
}

function traced(
  model: AnyModule,
  shape: readonly Dim[],
  { anchors, strides, decode }: Required<DecodedDetectorOptions> & { readonly decode: boolean },
): Graph {
  const maps = strides.map((_, map) => `output${map}`);
  const outputNames = decode ? ['output0'] : maps;
  if (model instanceof Yolov5) {
    // Other anchors than its own are decoded around it.
    const decodes = decode && String(anchors) === String(model.detect.anchors);
    const before = model.decode;
    model.decode = decodes;
    try {
      if (decodes || !decode) return toGraph(model, { images: shape }, { outputNames });
      return decodedAround(model, shape, { anchors, strides }, outputNames);
    } finally {
      model.decode = before;
    }
  }
  if (decode) return decodedAround(model, shape, { anchors, strides }, outputNames);
  const graph = toGraph(model, [shape], { outputNames });
  const [feed] = graph.feeds;
  if (feed && graph.find('images') === undefined) graph.rename(feed, 'images');
  return graph;
}

function decodedAround(
  model: AnyModule,
  shape: readonly Dim[],
  options: DecodedDetectorOptions,
  outputNames: readonly string[],
): Graph {
  const graph = toGraph(decodedDetector(model, options), { images: shape }, { outputNames });
  // The module around is none of the file's business.
  for (const value of graph.initializers) {
    const name = value.name.replace(/^model\./, '');
    if (graph.find(name) === undefined) graph.rename(value, name);
  }
  return graph;
}

function builtInBatch(model: AnyModule): Dim {
  const type = model instanceof GraphModule ? model.graph.feeds[0]?.type : null;
  const batch = type?.kind === 'tensor' ? type.shape?.[0] : null;
  return typeof batch === 'number' ? batch : 'batch';
}

function classesOf(graph: Graph): number {
  const shape = Graph.shapeOf(graph.outputs[0]!);
  const numbers = shape?.at(-1);
  return typeof numbers === 'number' ? numbers - 5 : 0;
}
