import { ArgumentError } from '../core/errors.ts';
import type { AnyModule } from '../nn/index.ts';
import { LeNet5 } from './lenet5.ts';
import { MobileNetV2 } from './mobilenet-v2.ts';
import { resnet } from './resnet.ts';
import { yolov5 } from './yolov5.ts';

/** Options of `createModel`. */
export interface CreateModelOptions {
  /** Number of classes; the architecture's own by default. */
  readonly classes?: number;
  /** YOLOv5: decode boxes in evaluation mode; default false. Throws for others. */
  readonly decode?: boolean;
}

interface Entry {
  /** Shape of one input, as the architecture is measured. */
  readonly input: readonly number[];
  readonly decodes?: true;
  create(options: CreateModelOptions): AnyModule;
}

const cifarResNet = (depth: 20 | 32 | 44 | 56 | 110): Entry => ({
  input: [1, 3, 32, 32],
  create: ({ classes }) => resnet(depth, classes === undefined ? {} : { classes }),
});

const yolo = (size: 'n' | 's' | 'm' | 'l' | 'x'): Entry => ({
  input: [1, 3, 640, 640],
  decodes: true,
  create: (options) => yolov5(size, options),
});

const ENTRIES: Readonly<Record<string, Entry>> = {
  lenet5: { input: [1, 1, 32, 32], create: (options) => new LeNet5(options) },
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
  mobilenet_v2: { input: [1, 3, 224, 224], create: (options) => new MobileNetV2(options) },
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
  if (options.decode && !entry.decodes) {
    throw new ArgumentError(`createModel: '${name}' has no boxes to decode; leave the option out`);
  }
  return entry.create(options);
}

/** Shape of an input as the architecture is commonly measured, for one sample: `[1, 3, 640, 640]`. Throws ArgumentError for an unknown name. */
export const exampleInput = (name: string): readonly number[] => entryOf(name).input;
