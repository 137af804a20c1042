import { UnsupportedError } from '../core/errors.ts';
import { toFloat32 } from '../core/float16.ts';
import type { Tensor } from '../core/tensor.ts';
import type { CreateModelOptions } from './registry.ts';
import { type Anchors, YOLOV5_STRIDES } from './yolov5-anchors.ts';

/** Tensors by state-dict name. */
type Tensors = ReadonlyMap<string, Tensor>;

/** What a state dict seems to be of. */
export interface Guess {
  /** As `createModel` takes it. */
  readonly name: string;
  readonly options: CreateModelOptions;
}

/** Architectures whose state dicts have the same names in part. */
interface Family {
  readonly title: string;
  /** Names that are looked for, for messages. */
  readonly marks: string;
  /** The member that is nearest; null where the names are not the family's. Throws UnsupportedError for kin that is known and not built in. */
  readonly guess: (tensors: Tensors) => Guess | null;
}

/** Families in the order they are asked. */
export const FAMILIES: readonly Family[] = [
  { title: 'YOLOv5', marks: "'model.0.conv.weight' … 'model.24.m.2.bias'", guess: yolov5Guess },
  {
    title: 'MobileNetV2',
    marks: "'features.0.0.weight' … 'classifier.1.bias'",
    guess: (tensors) => {
      const classifier = tensors.get('classifier.1.weight');
      if (!tensors.has('features.0.0.weight') || classifier === undefined) return null;
      return { name: 'mobilenet_v2', options: { classes: rows(classifier) } };
    },
  },
  {
    title: 'ResNets of CIFAR',
    marks: "'conv1.weight', 'layer1.0.conv1.weight' … 'linear.bias'",
    guess: resnetGuess,
  },
  {
    title: 'LeNet-5',
    marks: "'conv1.weight' … 'fc3.bias'",
    guess: (tensors) => {
      const last = tensors.get('fc3.weight');
      if (!tensors.has('conv1.weight') || last === undefined) return null;
      return { name: 'lenet5', options: { classes: rows(last) } };
    },
  },
];

const rows = ({ shape }: Tensor): number => Math.max(shape[0] ?? 1, 1);

/** The nearest of some numbers. */
const closest = (value: number, numbers: readonly number[]): number =>
  numbers.reduce((best, each) => (Math.abs(each - value) < Math.abs(best - value) ? each : best));

/** Channels of the first convolution, which no other size has. */
const WIDTHS = { n: 16, s: 32, m: 48, l: 64, x: 80 } as const;

function yolov5Guess(tensors: Tensors): Guess | null {
  const focus = tensors.get('model.0.conv.conv.weight');
  const first = focus ?? tensors.get('model.0.conv.weight');
  if (first === undefined) return null;
  const names = [...tensors.keys()];
  const head = names
    .map((name) => /^(model\.\d+)\.anchors$/.exec(name)?.[1])
    .find((found) => found !== undefined);
  if (names.some((name) => /^model\.\d+\.proto\./.test(name))) {
    throw new UnsupportedError(
      'recognizeModel: this is a YOLOv5 for segmentation, which is not built in; detectors are',
    );
  }
  if (tensors.has('model.9.linear.weight')) {
    throw new UnsupportedError(
      'recognizeModel: this is a YOLOv5 for classification, which is not built in; detectors are',
    );
  }
  if (head !== undefined && tensors.has(`${head}.m.3.weight`)) {
    throw new UnsupportedError(
      'recognizeModel: this is a YOLOv5 with a fourth map (P6, made for images of 1280 pixels), which is not built in; those with three maps, strides 8 to 32, are',
    );
  }
  const size = closest(rows(first), Object.values(WIDTHS));
  const [letter] = Object.entries(WIDTHS).find(([, width]) => width === size)!;
  const anchors = anchorsOf(tensors.get('model.24.anchors'));
  const numbers = rows(tensors.get('model.24.m.0.weight') ?? first) / ((anchors?.[0]?.length ?? 6) / 2);
  return {
    name: `yolov5${letter}`,
    options: {
      version: focus === undefined ? 6 : 5,
      classes: Number.isInteger(numbers) && numbers > 5 ? numbers - 5 : 80,
      ...(anchors === null ? {} : { anchors }),
    },
  };
}

/** Anchors in pixels: the buffer has them in cells. */
function anchorsOf(buffer: Tensor | undefined): Anchors | null {
  const [maps, count = 0, two] = buffer?.shape ?? [];
  if (buffer === undefined || maps !== YOLOV5_STRIDES.length || two !== 2) return null;
  const cells = toFloat32(buffer).float32;
  const anchors = YOLOV5_STRIDES.map((stride, map) =>
    Array.from(cells.subarray(map * count * 2, (map + 1) * count * 2), (size) => size * stride),
  );
  return anchors.every(
    (sizes) => sizes.length > 0 && sizes.every((size) => size > 0 && Number.isFinite(size)),
  )
    ? anchors
    : null;
}

const DEPTHS = [20, 32, 44, 56, 110];

function resnetGuess(tensors: Tensors): Guess | null {
  const names = [...tensors.keys()];
  const blocks = names.filter((name) => /^layer1\.\d+\.conv1\.weight$/.test(name)).length;
  if (!tensors.has('conv1.weight') || blocks === 0) return null;
  const linear = tensors.get('linear.weight');
  return {
    name: `resnet${closest(6 * blocks + 2, DEPTHS)}`,
    options: {
      ...(linear === undefined ? {} : { classes: rows(linear) }),
      ...(tensors.has('layer2.0.shortcut.0.weight') ? { shortcut: 'B' } : {}),
    },
  };
}
