import { ArgumentError } from '../core/errors.ts';
import type { AnyModule } from '../nn/index.ts';
import { LeNet5 } from './lenet5.ts';
import { MobileNetV2 } from './mobilenet-v2.ts';
import { resnet, type ShortcutOption } from './resnet.ts';
import { type Yolov5Version, yolov5 } from './yolov5.ts';
import type { Anchors } from './yolov5-anchors.ts';

/** Options of `createModel`. */
export interface CreateModelOptions {
  /** Number of classes; the architecture's own by default. */
  readonly classes?: number;
  /** YOLOv5: decode boxes in evaluation mode; default false. */
  readonly decode?: boolean;
  /** YOLOv5: 5 for the architecture of v5.0, 6 (the default) for that of v6.0 to v7.0. */
  readonly version?: Yolov5Version;
  /** YOLOv5: anchors of each map in pixels; default COCO's. */
  readonly anchors?: Anchors;
  /** ResNets of CIFAR: how shortcuts change size; default A. */
  readonly shortcut?: ShortcutOption;
}

interface Entry {
  /** Shape of one input, as the architecture is measured. */
  readonly input: readonly number[];
  /** Options it takes beside `classes`. */
  readonly takes: readonly (keyof CreateModelOptions)[];
  create(options: CreateModelOptions): AnyModule;
}

const cifarResNet = (depth: 20 | 32 | 44 | 56 | 110): Entry => ({
  input: [1, 3, 32, 32],
  takes: ['shortcut'],
  create: (options) => resnet(depth, options),
});

const yolo = (size: 'n' | 's' | 'm' | 'l' | 'x'): Entry => ({
  input: [1, 3, 640, 640],
  takes: ['decode', 'version', 'anchors'],
  create: (options) => yolov5(size, options),
});

const ENTRIES: Readonly<Record<string, Entry>> = {
  lenet5: { input: [1, 1, 32, 32], takes: [], create: (options) => new LeNet5(options) },
  yolov5n: yolo('n'),
  yolov5s: yolo('s'),
  yolov5m: yolo('m'),
  yolov5l: yolo('l'),
  yolov5x: yolo('x'),
  resnet20: cifarResNet(20),
  resnet32: cifarResNet(32),
  resnet44: cifarResNet(44),
  resnet56: cifarResNet(56),
  resnet110: cifarResNet(110),
  mobilenet_v2: { input: [1, 3, 224, 224], takes: [], create: (options) => new MobileNetV2(options) },
};

/** Names of the architectures: `lenet5`, `yolov5n` … `yolov5x`, `resnet20` …, `mobilenet_v2`. */
export const modelNames: readonly string[] = /* @__PURE__ */ Object.keys(ENTRIES);

function entryOf(name: string): Entry {
  const entry = Object.hasOwn(ENTRIES, name) ? ENTRIES[name] : undefined;
  if (entry) return entry;
  throw new ArgumentError(`no architecture is named '${name}'; expected one of ${modelNames.join(', ')}`);
}

/**
 * A new network by its name, in training mode, with fresh weights from the default generator. Throws ArgumentError for an unknown name and for options the
 * architecture does not have.
 */
export function createModel(name: string, options: CreateModelOptions = {}): AnyModule {
  const entry = entryOf(name);
  const strange = (Object.keys(options) as (keyof CreateModelOptions)[]).find(
    // What is not asked for may be said of any.
    (option) => option !== 'classes' && (options[option] ?? false) !== false && !entry.takes.includes(option),
  );
  if (strange !== undefined) {
    throw new ArgumentError(
      strange === 'decode'
        ? `createModel: '${name}' has no boxes to decode; leave the option out`
        : `createModel: '${name}' has no option '${strange}'; leave it out`,
    );
  }
  return entry.create(options);
}

/** Shape of an input as the architecture is commonly measured, for one sample: `[1, 3, 640, 640]`. Throws ArgumentError for an unknown name. */
export const exampleInput = (name: string): readonly number[] => entryOf(name).input;
