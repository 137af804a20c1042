import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '../../core/tensor.ts';
import { exportDetector } from '../../detect/index.ts';
import { COCO_ANCHORS, LeNet5, Yolov5 } from '../../models/index.ts';
import { type AnyModule, manualSeed } from '../../nn/index.ts';
import { writeModel } from '../model.ts';
import { writeTensors } from '../tensors.ts';
import { startingDetector } from './starting-detector.ts';

let folder = '';
const at = (name: string): string => join(folder, name);
let trained: Yolov5;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-start-'));
  manualSeed(7);
  trained = new Yolov5('n', { classes: 4 });
  writeTensors(trained.stateDict(), at('yolov5n.pt'));
  writeTensors(trained.stateDict(), at('yolov5n.safetensors'));
  writeModel(exportDetector(trained.eval(), { names: ['a', 'b', 'c', 'd'], size: 64 }), at('yolov5n.onnx'));
  writeTensors(new LeNet5().stateDict(), at('lenet5.pt'));
  writeFileSync(at('page.pt'), '<html>');
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

const digest = (tensors: ReadonlyMap<string, Tensor>): string => {
  const hash = createHash('sha256');
  for (const [name, { bytes }] of tensors) hash.update(name).update(bytes);
  return hash.digest('hex');
};

const first = (of: { readonly module: AnyModule }) =>
  of.module.stateDict().get('model.0.conv.weight')!.float32;

const HEADS = [0, 1, 2].flatMap((map) => [`model.24.m.${map}.weight`, `model.24.m.${map}.bias`]);

describe('startingDetector', () => {
  it.each(['yolov5n.pt', 'yolov5n.safetensors'])('recognizes %s and takes all its weights', (name) => {
    const start = startingDetector(at(name), { classes: 4, seed: 0 });
    expect(start).toMatchObject({
      architecture: 'yolov5n',
      notFitting: [],
      anchors: COCO_ANCHORS,
      strides: [8, 16, 32],
    });
    expect(digest(start.module.stateDict())).toBe(digest(trained.stateDict()));
  });

  it.each(['yolov5n.pt', 'yolov5n.onnx'])(
    'gives %s fresh heads for other classes, the same for a seed',
    (name) => {
      const heads = (seed: number): readonly number[] => {
        const start = startingDetector(at(name), { classes: 2, seed });
        expect(start.notFitting.map((one) => one.name).sort()).toEqual([...HEADS].sort());
        expect(start.notFitting[0]).toMatchObject({ expected: [21, 64, 1, 1], found: [27, 64, 1, 1] });
        expect(first(start)).toEqual(first({ module: trained }));
        return [...start.module.stateDict().get(HEADS[0]!)!.float32];
      };
      expect(heads(1)).toEqual(heads(1));
      expect(heads(2)).not.toEqual(heads(1));
    },
  );

  it('names the file that is no detector', () => {
    const open = (name: string) => () => startingDetector(at(name), { classes: 4, seed: 0 });
    expect(open('lenet5.pt')).toThrow(/lenet5\.pt: is a lenet5, which finds no objects; expected a YOLOv5/);
    expect(open('page.pt')).toThrow(/page\.pt: /);
    expect(open('none.pt')).toThrow(/none\.pt.* cannot be read/);
  });
});
