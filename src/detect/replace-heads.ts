import { ArgumentError, UnsupportedError } from '../core/errors.ts';
import { type Graph, tensorType } from '../ir/index.ts';
import { type Anchors, Yolov5Detect } from '../models/index.ts';
import type { NotFitting } from '../nn/index.ts';
import { constantSource, layerOf } from '../ops/index.ts';
import type { DetectionHead } from './detection-heads.ts';

/**
 * Gives the layers of a detector's maps fresh weights for another number of classes, drawn from the default generator as YOLOv5 starts them. Gives what was replaced, and the heads as they are then.
 *
 * Throws ArgumentError for a number of classes that is none, UnsupportedError where a layer is no 1x1 convolution; nothing has changed then.
 */
export function replaceHeads(
  graph: Graph,
  heads: readonly DetectionHead[],
  classes: number,
  { anchors, strides }: { readonly anchors: Anchors; readonly strides: readonly number[] },
): { readonly heads: readonly DetectionHead[]; readonly replaced: readonly NotFitting[] } {
  if (!Number.isSafeInteger(classes) || classes < 1) {
    throw new ArgumentError(`rawDetector: classes expects a whole number of at least 1, got ${classes}`);
  }
  const layers = heads.map(({ layer }) => {
    const node = layer.producer!;
    const inputs = new Map(layerOf(node)?.parameters.map(({ name, input }) => [name, input]));
    const weight = inputs.get('weight');
    const tensor = weight === undefined ? null : constantSource(node.input(weight))?.tensor;
    const [, channels, ...window] = tensor?.shape ?? [];
    if (
      weight === undefined ||
      channels === undefined ||
      String(window) !== '1,1' ||
      node.int('group', 1) !== 1
    ) {
      throw new UnsupportedError(
        `rawDetector: ${node.label} is to get other classes, and is no 1x1 convolution`,
      );
    }
    return { node, inputs, channels };
  });
  const fresh = new Yolov5Detect({
    classes,
    anchors,
    strides,
    channels: layers.map(({ channels }) => channels),
    decode: false,
  });
  const replaced: NotFitting[] = [];
  layers.forEach(({ node, inputs }, index) => {
    const layer = fresh.m.at(index);
    for (const [name, input] of inputs) {
      const parameter = name === 'weight' ? layer.weight : layer.bias;
      const old = node.input(input);
      const found = constantSource(old)?.tensor.shape ?? [];
      if (!parameter) continue;
      replaced.push({ name: old.name, expected: parameter.shape, found });
      if (old.consumers.length === 1 && old.initializer) {
        old.initializer = parameter.data;
        old.type = tensorType(parameter.data.dtype, parameter.shape);
      } else node.setInput(input, graph.addInitializer(graph.freshName(old.name), parameter.data));
    }
  });
  return { heads: heads.map((head) => ({ ...head, numbers: classes + 5 })), replaced };
}
