import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { type AnyModule, F, Module, manualSeed, run, toGraph, type Variable } from '../nn/index.ts';
import { decodedDetector, yolov5 } from './index.ts';

/** The images' pixels as a raw map of 2 x 3 cells, one anchor and one class: [N, 1, 2, 3, 6]. */
class OneMap extends Module<readonly Variable[]> {
  override forward(pixels: Variable): readonly Variable[] {
    return [pixels.view(-1, 1, 2, 3, 6)];
  }
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

describe('decodedDetector', () => {
  it('decodes as YOLOv5 does: centres around their cells, sizes up to four times the anchors', async () => {
    const raw = Float32Array.from({ length: 36 }, (_, at) => Math.sin(at * 1.7) * 3);
    const model = decodedDetector(new OneMap(), { anchors: [[10, 20]], strides: [8] }).eval();
    const [boxes] = (await run(model, new Tensor('float32', [1, 36], raw))) as readonly Tensor[];
    expect(boxes?.shape).toEqual([1, 6, 6]);
    for (let cell = 0; cell < 6; cell++) {
      const [x, y, w, h, objectness, score] = [...raw.subarray(cell * 6, cell * 6 + 6)].map(sigmoid) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      const [column, row] = [cell % 3, Math.floor(cell / 3)];
      const wanted = [
        (2 * x - 0.5 + column) * 8,
        (2 * y - 0.5 + row) * 8,
        (2 * w) ** 2 * 10,
        (2 * h) ** 2 * 20,
        objectness,
        score,
      ];
      wanted.forEach((value, place) => {
        expect(boxes!.float32[cell * 6 + place]).toBeCloseTo(value, 4);
      });
    }
  });

  it('gives raw maps in training, takes over the mode, and shares the parameters', async () => {
    manualSeed(0);
    const inner = yolov5('n', { classes: 1 });
    const model = decodedDetector(inner);
    expect([model.training, decodedDetector(yolov5('n').eval()).training]).toEqual([true, false]);
    expect(toGraph(model, [1, 3, 32, 32], { training: true }).outputs.length).toBe(3);
    expect(toGraph(model, [1, 3, 32, 32]).outputs.length).toBe(1);
    expect(model.getParameter('model.model.0.conv.weight')).toBe(inner.getParameter('model.0.conv.weight'));
    model.eval();
    expect(inner.training).toBe(false);
  });

  it('refuses anchors that are none, and outputs that are not their maps', () => {
    const made =
      (anchors: number[][], strides: number[]): (() => unknown) =>
      () =>
        decodedDetector(new OneMap(), { anchors, strides });
    expect(made([[10, 20]], [8, 16])).toThrow(
      new ArgumentError(
        'decodedDetector: expects anchors and a stride for each map, got 1 lists of anchors and 2 strides',
      ),
    );
    expect(made([[10, 20]], [0.5])).toThrow(
      'decodedDetector: strides expect whole numbers of pixels of at least 1, got 0.5',
    );
    const traced =
      (model: AnyModule, anchors: number[][]): (() => unknown) =>
      () =>
        toGraph(decodedDetector(model, { anchors, strides: anchors.map(() => 8) }), [1, 36]);
    expect(
      traced(new OneMap(), [
        [1, 1],
        [1, 1],
      ]),
    ).toThrow(
      new ShapeError('decoding: expected 2 raw maps [N, anchors, ny, nx, 5 + classes], got 1 outputs'),
    );
    expect(traced(new OneMap(), [[1, 1, 2, 2]])).toThrow(
      'decoding: expected a raw map [N, 2, ny, nx, 5 + classes], got [1, 1, 2, 3, 6]',
    );
    class Flat extends Module {
      override forward(x: Variable): Variable {
        return F.relu(x);
      }
    }
    expect(traced(new Flat(), [[1, 1]])).toThrow(
      'decoding: expected a raw map [N, 1, ny, nx, 5 + classes], got [1, 36]',
    );
  });
});
