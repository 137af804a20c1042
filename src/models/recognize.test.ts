import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { UnsupportedError } from '../core/errors.ts';
import { fromFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import { type AnyModule, manualSeed, transferWeights } from '../nn/index.ts';
import { readTensors } from '../node/index.ts';
import {
  COCO_ANCHORS,
  type CreateModelOptions,
  createModel,
  modelFromTensors,
  recognizeModel,
  type Yolov5,
} from './index.ts';

const WEIGHTS = new URL('../../../shared/data/weights/', import.meta.url);
const weights = (name: string): string => fileURLToPath(new URL(name, WEIGHTS));

/** In cells these are whole halves: nothing is rounded. */
const ANCHORS = [
  [8, 12, 16, 20, 24, 28],
  [32, 40, 48, 56, 64, 72],
  [128, 144, 160, 176, 192, 208],
];

const dictOf = (name: string, options: CreateModelOptions = {}): Map<string, Tensor> => {
  manualSeed(1);
  return createModel(name, options).stateDict();
};

const refused = (tensors: ReadonlyMap<string, Tensor>): string => {
  try {
    recognizeModel(tensors);
  } catch (error) {
    if (error instanceof UnsupportedError) return error.message;
    throw error;
  }
  return 'recognized';
};

describe('recognizeModel', () => {
  it.each<[string, CreateModelOptions]>([
    ['yolov5n', { version: 6, classes: 80, anchors: ANCHORS }],
    ['yolov5n', { version: 6, classes: 3, anchors: ANCHORS.map((sizes) => sizes.slice(2)) }],
    ['yolov5s', { version: 5, classes: 1, anchors: ANCHORS }],
    ['yolov5m', { version: 6, classes: 2, anchors: ANCHORS }],
    ['resnet20', { classes: 10 }],
    ['resnet32', { classes: 100, shortcut: 'B' }],
    ['lenet5', { classes: 7 }],
    ['mobilenet_v2', { classes: 5 }],
  ])('tells %s with %o', (name, options) => {
    expect(recognizeModel(dictOf(name, options))).toEqual({ name, options });
  });

  it('does without counters of batch norms, and with what v5.0 keeps twice', () => {
    const dict = dictOf('yolov5n', { version: 5 });
    for (const name of [...dict.keys()]) if (name.endsWith('num_batches_tracked')) dict.delete(name);
    dict.set('model.24.anchor_grid', Tensor.zeros('float32', [3, 1, 3, 1, 1, 2]));
    expect(recognizeModel(dict).name).toBe('yolov5n');
    expect(modelFromTensors(dict).name).toBe('yolov5n');
  });

  it('says what the nearest architecture is and where it differs', () => {
    const dict = dictOf('resnet20');
    dict.delete('bn1.weight');
    dict.set('head.weight', Tensor.zeros('float32', [1]));
    dict.set('layer1.0.conv1.weight', Tensor.zeros('float32', [16, 16, 1, 1]));
    expect(refused(dict)).toBe(
      "recognizeModel: the tensors are those of no built-in architecture (lenet5, yolov5n, yolov5s, yolov5m, yolov5l, yolov5x, resnet20, resnet32, resnet44, resnet56, resnet110, mobilenet_v2); nearest is resnet20 (10 classes), but 'bn1.weight' is missing; 'head.weight' is not of it; layer1.0.conv1.weight is [16, 16, 1, 1], not [16, 16, 3, 3]",
    );
  });

  it('tells a network that was cut, or of another width, by its shapes', () => {
    const dict = dictOf('yolov5n', { classes: 3 });
    for (const name of [
      'model.1.conv.weight',
      'model.2.cv1.conv.weight',
      'model.3.conv.weight',
      'model.4.cv1.conv.weight',
    ])
      dict.set(name, Tensor.zeros('float32', [8, 8, 1, 1]));
    expect(refused(dict)).toMatch(
      /nearest is yolov5n \(v6\.0 to v7\.0, 3 classes\), but model\.1\.conv\.weight is \[8, 8, 1, 1\], not \[32, 16, 3, 3\], .* and 1 more have other shapes$/,
    );
  });

  it('says what to do of folded batch norms', () => {
    const fused = new Map(
      [...dictOf('yolov5n')].flatMap(([name, tensor]): [string, Tensor][] => {
        if (name.includes('.bn.'))
          return name.endsWith('bn.bias') ? [[name.replace('bn.bias', 'conv.bias'), tensor]] : [];
        return [[name, tensor]];
      }),
    );
    expect(refused(fused)).toMatch(
      /Batch norms are folded into its convolutions \(`model\.fuse\(\)`\): save it before that$/,
    );
  });

  it('says what was looked for where nothing is near', () => {
    expect(refused(new Map([['encoder.weight', Tensor.zeros('float32', [1])]]))).toBe(
      "recognizeModel: the tensors are those of no built-in architecture; looked for YOLOv5 ('model.0.conv.weight' … 'model.24.m.2.bias'), MobileNetV2 ('features.0.0.weight' … 'classifier.1.bias'), ResNets of CIFAR ('conv1.weight', 'layer1.0.conv1.weight' … 'linear.bias'), LeNet-5 ('conv1.weight' … 'fc3.bias'); they are called 'encoder.weight'",
    );
    expect(refused(new Map())).toMatch(/; there are none$/);
  });

  it.each([
    ['model.24.proto.cv1.conv.weight', 'for segmentation'],
    ['model.9.linear.weight', 'for classification'],
    ['model.33.m.3.weight', 'with a fourth map (P6, made for images of 1280 pixels)'],
  ])('refuses kin of YOLOv5 that is not built in by %s', (name, kind) => {
    const tensor = Tensor.zeros('float32', [16, 3, 6, 6]);
    const dict = new Map([
      ['model.0.conv.weight', tensor],
      ['model.33.anchors', tensor],
      [name, tensor],
    ]);
    expect(refused(dict)).toContain(`recognizeModel: this is a YOLOv5 ${kind}, which is not built in`);
  });
});

describe('modelFromTensors', () => {
  it('loads the weights, half precision too, and leaves the generator alone', () => {
    const dict = dictOf('yolov5n', { classes: 2, anchors: ANCHORS });
    const half = new Map(
      [...dict].map(([name, tensor]) => [
        name,
        tensor.dtype === 'float32' ? fromFloat32(tensor, 'float16') : tensor,
      ]),
    );
    manualSeed(5);
    const { module, options } = modelFromTensors(half);
    manualSeed(5);
    const fresh = createModel('lenet5');
    manualSeed(5);
    modelFromTensors(half);
    const again = createModel('lenet5');
    const first = (of: AnyModule): number[] => [...of.getParameter('conv1.weight').data.float32];
    expect(first(again)).toEqual(first(fresh));
    expect(module.training).toBe(false);
    expect(options.anchors).toEqual(ANCHORS);
    expect((module as Yolov5).detect.anchors).toEqual(ANCHORS);
    const loaded = module.getParameter('model.9.cv2.conv.weight').data.float32;
    dict.get('model.9.cv2.conv.weight')!.float32.forEach((value, at) => {
      if (Math.abs(loaded[at]! - value) > 1e-3) throw new Error(`element ${at}: ${loaded[at]} for ${value}`);
    });
  });

  it('takes weights that torch.nn.utils.prune masks as the network uses them', () => {
    const dict = dictOf('lenet5');
    const weight = dict.get('conv1.weight')!;
    const mask = new Tensor(
      'float32',
      weight.shape,
      weight.float32.map((_, at) => at % 2),
    );
    dict.delete('conv1.weight');
    dict.set('conv1.weight_orig', weight).set('conv1.weight_mask', mask);
    const { module } = modelFromTensors(dict);
    expect([...module.getParameter('conv1.weight').data.float32]).toEqual(
      [...weight.float32].map((value, at) => (at % 2 === 0 ? 0 : value)),
    );
    dict.delete('conv1.weight_mask');
    expect(refused(dict)).toContain("they are called 'conv1.bias'");
  });

  it.skipIf(!existsSync(WEIGHTS)).each([
    ['yolov5n.pt', 'yolov5n', 80],
    ['resnet20-12fca82f.th', 'resnet20', 10],
    ['resnet56-4bfd9763.th', 'resnet56', 10],
  ])('reads %s (skipped where ../shared is absent)', (file, name, classes) => {
    const model = modelFromTensors(readTensors(weights(file)));
    expect(model).toMatchObject({ name, options: { classes } });
  });

  it.skipIf(!existsSync(WEIGHTS))(
    'goes into a network of other classes but for its last layer (skipped where ../shared is absent)',
    () => {
      manualSeed(0);
      const own = createModel('yolov5n', { classes: 3, anchors: ANCHORS }) as Yolov5;
      const tensors = readTensors(weights('yolov5n.pt'));
      const report = transferWeights(own, tensors);
      expect(report.notFitting.map(({ name, expected, found }) => [name, expected[0], found[0]])).toEqual(
        [0, 1, 2].flatMap((map) => [
          [`model.24.m.${map}.weight`, 24, 255],
          [`model.24.m.${map}.bias`, 24, 255],
        ]),
      );
      expect([report.missing, report.unexpected]).toEqual([[], []]);
      // `Transferred 343/349 items from yolov5n.pt`, as train.py says.
      expect(report.loaded.length).toBe(343);
      expect(own.detect.anchors).toEqual(COCO_ANCHORS);
      const kept = createModel('yolov5n', { classes: 3, anchors: ANCHORS }) as Yolov5;
      expect(transferWeights(kept, tensors, { exclude: ['*.anchors'] }).excluded).toEqual([
        'model.24.anchors',
      ]);
      expect(kept.detect.anchors).toEqual(ANCHORS);
    },
  );
});
