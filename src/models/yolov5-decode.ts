import { ShapeError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { F, type Variable } from '../nn/index.ts';
import type { Anchors } from './yolov5-anchors.ts';

/** Numbers of a box before its classes: centre x, y, width, height, objectness. */
const BEFORE_CLASSES = 5;

/**
 * Boxes of a YOLOv5's raw maps `[N, anchors, ny, nx, 5 + classes]`, joined: `[N, boxes, 5 + classes]` of centre x, y, width, height in pixels, objectness, and the probabilities of the classes. Heights and widths of the maps must
 * be known.
 *
 * `xy = (2 σ(t) + cell - 1/2) stride`, `wh = (2 σ(t))² anchor`; source: `Detect.forward` of YOLOv5. Throws ShapeError where the maps are not those of the anchors.
 */
export function decodeMaps(
  maps: readonly Variable[],
  anchors: Anchors,
  strides: readonly number[],
): Variable {
  if (maps.length !== anchors.length) {
    throw new ShapeError(
      `decoding: expected ${anchors.length} raw maps [N, anchors, ny, nx, 5 + classes], got ${maps.length} outputs`,
    );
  }
  return F.cat(
    maps.map((map, index) => decodeMap(map, anchors[index]!, strides[index]!)),
    1,
  );
}

function decodeMap(map: Variable, anchors: readonly number[], stride: number): Variable {
  const { shape, tracer } = map;
  const count = anchors.length / 2;
  const [batch = null, found, , , outputs] = shape;
  if (shape.length !== 5 || found !== count || typeof outputs !== 'number' || outputs < BEFORE_CLASSES) {
    throw new ShapeError(
      `decoding: expected a raw map [N, ${count}, ny, nx, 5 + classes], got [${shape.map((dim) => dim ?? '?').join(', ')}]`,
    );
  }
  const [xyPart, whPart, rest] = F.sigmoid(map).split([2, 2, outputs - 4], 4) as [
    Variable,
    Variable,
    Variable,
  ];
  const cells = tracer.constant(cellGrid(map.size(2), map.size(3)));
  const xy = xyPart.mul(2).add(cells).mul(stride);
  const twice = whPart.mul(2);
  const sizes = new Tensor('float32', [1, count, 1, 1, 2], Float32Array.from(anchors));
  const wh = twice.mul(twice).mul(tracer.constant(sizes));
  return F.cat([xy, wh, rest], 4).view(batch, -1, outputs);
}

/** Column and row of each cell, less a half: `[1, 1, height, width, 2]`. */
function cellGrid(height: number, width: number): Tensor {
  const cells = new Float32Array(height * width * 2);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) cells.set([x - 0.5, y - 0.5], (y * width + x) * 2);
  }
  return new Tensor('float32', [1, 1, height, width, 2], cells);
}
