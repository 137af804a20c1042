import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { parseOnnx } from '../io/index.ts';
import { type AnyModule, BatchNorm2d, Generator, manualSeed, run, toGraph } from '../nn/index.ts';
import {
  createModel,
  exampleInput,
  LeNet5,
  MobileNetV2,
  modelNames,
  ResNet,
  resnet,
  Yolov5,
  yolov5,
} from './index.ts';

/** A network as PyTorch has it; made by testdata/generate.py. */
interface Case {
  readonly name: string;
  readonly seed: number;
  readonly options: Readonly<Record<string, unknown>>;
  readonly input: readonly number[];
  readonly parameters: number;
  readonly modules: number;
  readonly keys: readonly string[];
  readonly sha256: string;
  readonly outputs: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[];
}

const { cases } = JSON.parse(readFileSync(new URL('testdata/models.json', import.meta.url), 'utf8')) as {
  readonly cases: readonly Case[];
};

function make({ name, seed, options }: Case): AnyModule {
  manualSeed(seed);
  if (options.shortcut === 'B') return resnet(20, { classes: 7, shortcut: 'B' });
  if (options.widthMult === 0.35) return new MobileNetV2({ classes: 5, widthMult: 0.35 });
  return createModel(name, options);
}

const parameterCount = (module: AnyModule): number =>
  [...module.parameters()].reduce((sum, parameter) => sum + parameter.size, 0);

/** As `statistics` in generate.py. */
function setStatistics(module: AnyModule): void {
  const norms = [...module.modules()].filter((inner) => inner instanceof BatchNorm2d);
  norms.forEach((norm, k) => {
    const [mean, variance] = [norm.runningMean!.float32, norm.runningVar!.float32];
    mean.forEach((value, i) => {
      mean[i] = value + Math.fround(0.01 * (k % 7));
    });
    variance.forEach((value, i) => {
      variance[i] = value * Math.fround(1 + 0.05 * (k % 5));
    });
  });
}

describe.each(cases.map((golden) => [`${golden.name} ${JSON.stringify(golden.options)}`, golden] as const))(
  '%s',
  (_, golden) => {
    it('starts with the names, order and bytes of PyTorch', () => {
      const module = make(golden);
      const state = module.stateDict();
      expect([...state.keys()]).toEqual(golden.keys);
      expect(parameterCount(module)).toBe(golden.parameters);
      expect([...module.modules()]).toHaveLength(golden.modules);
      const hash = createHash('sha256');
      for (const tensor of state.values()) hash.update(tensor.bytes);
      expect(hash.digest('hex')).toBe(golden.sha256);
    });

    it("computes PyTorch's output", async () => {
      const module = make(golden).eval();
      setStatistics(module);
      const size = golden.input.reduce((a, b) => a * b, 1);
      const x = new Tensor('float32', golden.input, new Generator(golden.seed + 1).randn(size));
      const result = await run(module, x);
      const outputs = result instanceof Tensor ? [result] : result;
      expect(outputs.map(({ shape }) => shape)).toEqual(golden.outputs.map(({ shape }) => shape));
      outputs.forEach((output, index) => {
        const { data } = golden.outputs[index]!;
        const scale = Math.max(1, ...data.map(Math.abs));
        const far = data.filter((value, i) => !(Math.abs(value - output.float32[i]!) < 1e-5 * scale));
        expect(far).toEqual([]);
      });
    });
  },
);

const profile = new URL('../../../shared/golden/profile.json', import.meta.url);
const trained = new URL('../../../shared/data/onnx/yolov5n.onnx', import.meta.url);

describe('YOLOv5', () => {
  it.skipIf(!existsSync(profile))('has the counts of the reference (skipped without ../shared)', () => {
    const rows = JSON.parse(readFileSync(profile, 'utf8')) as Record<
      string,
      { parameters: number; modules: number; layers: number }
    >;
    expect(Object.keys(rows).length).toBeGreaterThan(0);
    for (const [key, row] of Object.entries(rows)) {
      const [name, classes] = key.split('-nc') as [string, string];
      const model = createModel(name, { classes: Number(classes) });
      const modules = [...model.modules()];
      // The reference counts layers of torch.nn; joining maps is a module of YOLOv5's own.
      const layers = modules.filter(
        (module) => [...module.children()].length === 0 && module.typeName !== 'Concat',
      );
      expect([parameterCount(model), modules.length, layers.length]).toEqual([
        row.parameters,
        row.modules,
        row.layers,
      ]);
    }
  });

  it.skipIf(!existsSync(trained))("names nodes as Ultralytics' export (skipped without ../shared)", () => {
    const theirs = parseOnnx(readFileSync(trained));
    const ours = toGraph(yolov5('n', { decode: true }), [1, 3, 640, 640]);
    const names = (graph: typeof ours, types: readonly string[]): string[] =>
      graph.nodes
        .filter(({ opType }) => types.includes(opType))
        .map(({ name }) => name)
        .sort();
    // Calls after the first of one module are named otherwise: PyTorch writes `m_1/MaxPool`, we write `m/MaxPool_1`.
    const compared = ['Conv', 'Resize', 'Add'];
    const outsideDetect = (name: string): boolean => !name.startsWith('/model.24/');
    expect(names(ours, compared).filter(outsideDetect)).toEqual(
      names(theirs, compared).filter(outsideDetect),
    );
  });

  it('gives three raw maps for any batch, and decoded boxes on request', () => {
    const model = yolov5('n', { classes: 3 });
    const raw = toGraph(model, { images: { shape: ['batch', 3, 640, 640] } });
    expect(raw.inputs.map(({ name }) => name)).toEqual(['images']);
    expect(raw.outputs.map(({ name, type }) => [name, type?.kind === 'tensor' && type.shape])).toEqual([
      ['output', ['batch', 3, 80, 80, 8]],
      ['output_1', ['batch', 3, 40, 40, 8]],
      ['output_2', ['batch', 3, 20, 20, 8]],
    ]);
    model.decode = true;
    const decoded = toGraph(model, ['batch', 3, 640, 640]);
    expect(decoded.outputs.map(({ name, type }) => [name, type?.kind === 'tensor' && type.shape])).toEqual([
      ['output', ['batch', 25200, 8]],
    ]);
    expect(toGraph(model, [1, 3, 64, 64], { training: true }).outputs).toHaveLength(3);
  });

  it('shares the parameters with its graph under their state-dict names', () => {
    const model = yolov5('n');
    const graph = toGraph(model, [1, 3, 64, 64]);
    const state = model.stateDict();
    const named = graph.initializers.filter(({ name }) => state.has(name));
    expect(named.length).toBe(
      [...state.keys()].filter((name) => !/num_batches_tracked|anchors/.test(name)).length,
    );
    for (const { name, initializer } of named) expect(initializer).toBe(state.get(name));
  });

  it('refuses sizes and numbers of classes that are none', () => {
    expect(() => new Yolov5('z' as 'n')).toThrow(
      new ArgumentError("Yolov5: expects a size of n, s, m, l, x, got 'z'"),
    );
    expect(() => yolov5('n', { classes: 0 })).toThrow(
      'Yolov5: classes expects a whole number of at least 1, got 0',
    );
    expect(() => yolov5('n', { version: 7 as 6 })).toThrow(
      'Yolov5: expects version 5 (v5.0) or 6 (v6.0 to v7.0), got 7',
    );
    expect(() => yolov5('n', { anchors: [[1, 2]] })).toThrow(
      'Detect: expects anchors and a stride for each map, got 1 lists of anchors and 3 strides',
    );
    expect(() =>
      yolov5('n', {
        anchors: [
          [1, 2],
          [3, 4],
          [5, -6],
        ],
      }),
    ).toThrow(
      'Detect: anchors of map 2 expect widths and heights above 0 in pixels, as many for each map, got [5, -6]',
    );
  });
});

describe('the registry', () => {
  it.each(modelNames.filter((name) => !/yolov5[mlx]|resnet(32|44|56|110)/.test(name)))(
    'makes %s, which takes its example input and any batch',
    (name) => {
      const model = createModel(name, { classes: 4 }).eval();
      const [, ...rest] = exampleInput(name);
      const graph = toGraph(model, ['batch', ...rest]);
      expect(graph.lint()).toEqual([]);
      for (const { type } of graph.outputs) {
        const shape = type?.kind === 'tensor' ? type.shape : null;
        expect(shape?.[0]).toBe('batch');
        expect([4, 9]).toContain(shape?.at(-1));
      }
    },
  );

  it('knows the CIFAR ResNets by their published sizes', () => {
    const sizes = ['resnet20', 'resnet32', 'resnet44', 'resnet56', 'resnet110'].map((name) =>
      parameterCount(createModel(name)),
    );
    // He et al. 2015, table 6: 0.27, 0.46, 0.66, 0.85 and 1.7 million.
    expect(sizes).toEqual([269722, 464154, 658586, 853018, 1727962]);
  });

  it('refuses unknown names, and options an architecture does not have', () => {
    expect(() => createModel('vgg')).toThrow(
      `no architecture is named 'vgg'; expected one of ${modelNames.join(', ')}`,
    );
    expect(() => exampleInput('toString')).toThrow("no architecture is named 'toString'");
    expect(() => createModel('lenet5', { decode: true })).toThrow(
      "createModel: 'lenet5' has no boxes to decode; leave the option out",
    );
    expect(() => createModel('resnet20', { version: 5 })).toThrow(
      "createModel: 'resnet20' has no option 'version'; leave it out",
    );
    expect(() => createModel('yolov5n', { shortcut: 'B' })).toThrow(
      "createModel: 'yolov5n' has no option 'shortcut'; leave it out",
    );
  });
});

describe('architectures', () => {
  it('print as PyTorch prints them', () => {
    expect(String(new LeNet5())).toBe(
      [
        'LeNet5(',
        '  (conv1): Conv2d(1, 6, kernel_size=(3, 3), stride=(1, 1))',
        '  (conv2): Conv2d(6, 16, kernel_size=(3, 3), stride=(1, 1))',
        '  (fc1): Linear(in_features=576, out_features=120, bias=True)',
        '  (fc2): Linear(in_features=120, out_features=84, bias=True)',
        '  (fc3): Linear(in_features=84, out_features=10, bias=True)',
        ')',
      ].join('\n'),
    );
  });

  it('refuse sizes that are none', () => {
    expect(() => resnet(21 as 20)).toThrow(
      'resnet: expects a depth of 6 n + 2, such as 20, 32, 44, 56 or 110, got 21',
    );
    expect(() => new ResNet(0)).toThrow('ResNet: blocks expects a whole number of at least 1, got 0');
    expect(() => new MobileNetV2({ widthMult: 0 })).toThrow(
      'MobileNetV2: widthMult expects a number above 0, got 0',
    );
  });
});
