import { ArgumentError, FormatError, UnsupportedError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import { MemoryBudget } from './budget.ts';
import type { Container } from './container.ts';
import { readLegacyContainer } from './legacy-container.ts';
import { latin1Text } from './pickle-reader.ts';
import { PickledObject, type PickleValue } from './pickle-values.ts';
import { type PlainData, plainData } from './plain-data.ts';
import { TensorMaker } from './stored-tensor.ts';
import {
  choosePart,
  entriesOf,
  isModule,
  moduleTensors,
  stateDictTensors,
  type WeightPart,
} from './weights.ts';
import { readZipContainer } from './zip-container.ts';

/** Options of `parsePyTorch`. */
export interface ParsePyTorchOptions {
  /** Leave float16 and bfloat16 tensors as they are. Default false: they become float32. */
  readonly keepHalf?: boolean;
  /**
   * Which part holds the weights, as keys joined by dots: `ema`, `generator.state_dict`; the empty text is the whole. Default: chosen as
   * `PyTorchCheckpoint.part` says.
   */
  readonly part?: string;
  /** Memory that reading may take beside the file, in bytes. Default twice the file and 64 MiB. */
  readonly maxBytes?: number;
}

/** Contents of a PyTorch checkpoint. */
export interface PyTorchCheckpoint {
  /**
   * Weights by state-dict name, in the order of the file. Names that share memory in the checkpoint share a Tensor; tensors that need no
   * conversion are views of the file's bytes.
   */
  readonly tensors: Map<string, Tensor>;
  /**
   * The part that was read: '' for the whole file where that is a module or a state dict; else the first of `ema`, `model`, `state_dict` and
   * the like that holds weights.
   */
  readonly part: string;
  /** Every part that holds weights and could be read by `ParsePyTorchOptions.part`. */
  readonly parts: readonly string[];
  /** `module`: a whole pickled `nn.Module`, whose parameters and buffers were gathered. */
  readonly kind: 'module' | 'state-dict';
  /** Class of the module, such as `models.yolo.Model`; null of a state dict. */
  readonly className: string | null;
  /** What was taken off the front of all names: `module.` of DataParallel, `_orig_mod.` of `torch.compile`; else empty. */
  readonly prefix: string;
  /** Names of entries of the part that are no tensors, which were left out. */
  readonly leftOut: readonly string[];
  /** What the checkpoint holds beside its parts, as plain data: `epoch`, `best_fitness`, `opt`. */
  readonly metadata: Readonly<Record<string, PlainData>>;
  /** A module's own attributes as plain data, such as `yaml` and `names` of YOLOv5; empty of a state dict. */
  readonly attributes: Readonly<Record<string, PlainData>>;
  /** Everything that was saved, as it is in the pickle. */
  readonly root: PickleValue;
  /** `zip`: PyTorch 1.6 and newer; `legacy`: before. */
  readonly format: 'zip' | 'legacy';
}

/**
 * Reads a checkpoint of PyTorch, `.pt`, `.pth` or `.th`: the zip format and the one before; a state dict, a checkpoint with one under
 * a usual key, or a whole pickled module of any class. Nothing of the file is executed: pickles go through an allow-list, and what is not
 * on it becomes an inert object with its name and state.
 *
 * Throws FormatError with byte offset and field where the file is no checkpoint, cut off or damaged, or asks for more memory than
 * `maxBytes`; UnsupportedError for quantized and sparse weights, TorchScript and tar files; ArgumentError where `part` is not there or
 * has to be given.
 */
export function parsePyTorch(bytes: Uint8Array, options: ParsePyTorchOptions = {}): PyTorchCheckpoint {
  const { keepHalf = false, part: wanted, maxBytes } = options;
  if (maxBytes !== undefined && !(maxBytes >= 0)) {
    throw new ArgumentError(`parsePyTorch: maxBytes expects a number of bytes, got ${maxBytes}`);
  }
  const file = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const budget = new MemoryBudget(file.byteLength, maxBytes);
  const { root, format } = readContainer(file, budget);
  const { part, parts } = choosePart(root, budget, wanted);
  const maker = new TensorMaker(budget, keepHalf);
  const toPlain = (value: PickleValue): PlainData => plainData(value, maker, budget);
  const { value } = part;
  const isWhole = part.kind === 'module' && value instanceof PickledObject;
  const { tensors: stored, others } = isWhole
    ? moduleTensors(value, budget)
    : stateDictTensors(value, budget);
  const prefix = commonPrefix(stored.keys());
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of stored) tensors.set(name.slice(prefix.length), maker.make(tensor, name));
  return {
    tensors,
    part: part.path,
    parts: parts.map(({ path }) => path),
    kind: part.kind,
    className: isWhole ? value.type.path : null,
    prefix,
    leftOut: others,
    metadata: metadataOf(root, parts, toPlain),
    attributes: isWhole ? attributesOf(value, toPlain) : {},
    root,
    format,
  };
}

/** Wrappers that put a name in front of all others. */
const PREFIXES = ['module.', '_orig_mod.'];

function commonPrefix(names: Iterable<string>): string {
  const all = [...names];
  let prefix = '';
  for (;;) {
    const { length } = prefix;
    const more = PREFIXES.find(
      (wrapper) => all.length > 0 && all.every((name) => name.startsWith(wrapper, length)),
    );
    if (more === undefined) return prefix;
    prefix += more;
  }
}

function metadataOf(
  root: PickleValue,
  parts: readonly WeightPart[],
  toPlain: (value: PickleValue) => PlainData,
): Readonly<Record<string, PlainData>> {
  if (parts.some(({ path }) => path === '') || isModule(root)) return {};
  const weights = new Set(parts.map(({ path }) => path.split('.')[0]));
  const entries = [...(entriesOf(root) ?? [])].flatMap(([key, value]): [string, PlainData][] =>
    typeof key !== 'string' || weights.has(key) ? [] : [[key, toPlain(value)]],
  );
  return Object.fromEntries(entries);
}

function attributesOf(
  module: PickledObject,
  toPlain: (value: PickleValue) => PlainData,
): Readonly<Record<string, PlainData>> {
  // Names that begin with an underscore are nn.Module's own.
  const own = [...module.attributes()].filter(([name]) => !name.startsWith('_'));
  return Object.fromEntries(own.map(([name, value]) => [name, toPlain(value)]));
}

/** Tells by its first bytes what a file is. */
function readContainer(file: Uint8Array, budget: MemoryBudget): Container {
  const fail = (message: string): FormatError => new FormatError('PyTorch', message, { offset: 0 });
  const start = latin1Text(file.subarray(0, 512));
  if (file.byteLength === 0) throw fail('the file is empty');
  if (start.startsWith('PK')) return readZipContainer(file, budget);
  // Protocol 2 and newer begin with their number; before, with the digits of the magic number.
  if (start.startsWith('\x80') || /^L\d/.test(start)) {
    return readLegacyContainer(file, budget);
  }
  if (/^(\u00ef\u00bb\u00bf)?\s*<(!doctype|html|head|\?xml|!--)/i.test(start)) {
    throw fail('the file is a web page, not a checkpoint; download the file itself');
  }
  if (start.startsWith('version https://git-lfs')) {
    throw fail('the file is a pointer of Git LFS, not the checkpoint; fetch it by git lfs pull');
  }
  if (start.startsWith('{"', 8)) throw fail('the file is of the safetensors format; name it .safetensors');
  if (start.startsWith('\x1f\x8b')) {
    throw fail('the file is compressed by gzip; unpack it first');
  }
  if (start.startsWith('ustar', 257)) {
    throw new UnsupportedError(
      'PyTorch: the file is a tar archive of PyTorch before 0.2, which is not read; load it in Python and save it anew',
    );
  }
  const found = [...file.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw fail(
    `the file begins with ${found}, which no checkpoint does; expected a zip archive or the format before PyTorch 1.6`,
  );
}
