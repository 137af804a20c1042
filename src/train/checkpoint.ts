import { ArgumentError, FormatError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { concatBytes, parseSafetensors, serializeSafetensors } from '../io/index.ts';
import type { AnyModule } from '../nn/index.ts';
import { customFromMask, remove } from '../prune/index.ts';

/** Where checkpoints are kept. `write` must be whole or not at all: `fileCheckpoint` of `secateur/node` writes beside and renames. */
export interface CheckpointStore {
  /** The newest checkpoint, or null where there is none. */
  read(): Promise<Uint8Array | null>;
  write(chunks: readonly Uint8Array[]): Promise<void>;
}

/** Plain data, as JSON has it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Tensors by name and plain data beside them. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly meta: { readonly [key: string]: Json };
}

const FORMAT = 'secateur-checkpoint/1';

/** The bytes of a checkpoint: a safetensors file whose metadata holds the plain data. */
export function serializeCheckpoint({ tensors, meta }: Checkpoint): Uint8Array[] {
  const metadata = new Map([
    ['format', FORMAT],
    ['meta', JSON.stringify(meta)],
  ]);
  return serializeSafetensors(tensors, metadata);
}

/** Reads a checkpoint. Throws FormatError where the bytes are none. */
export function parseCheckpoint(bytes: Uint8Array): Checkpoint {
  const { tensors, metadata } = parseSafetensors(bytes);
  const format = metadata.get('format');
  if (format !== FORMAT) {
    throw new FormatError(
      'checkpoint',
      `its metadata has the format '${format ?? 'none'}', expected '${FORMAT}'; is it a file of weights?`,
    );
  }
  const text = metadata.get('meta') ?? '';
  try {
    return { tensors, meta: JSON.parse(text) as Checkpoint['meta'] };
  } catch (cause) {
    throw new FormatError('checkpoint', 'its metadata holds no JSON', {}, { cause });
  }
}

/** A checkpoint store in memory, for tests and short runs. */
export class MemoryCheckpoint implements CheckpointStore {
  #bytes: Uint8Array | null = null;

  async read(): Promise<Uint8Array | null> {
    return this.#bytes;
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    this.#bytes = concatBytes(chunks);
  }
}

/** Copies of a model's tensors: parameters before masking, masks and buffers, under names that begin with `prefix`. */
export function modelTensors(model: AnyModule, prefix = 'model/'): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const { path, name, parameter } of model.parameterPlaces()) {
    const full = path === '' ? name : `${path}.${name}`;
    tensors.set(`${prefix}parameter/${full}`, parameter.orig.clone());
    if (parameter.mask) tensors.set(`${prefix}mask/${full}`, parameter.mask.clone());
  }
  // A mask is no buffer of its own here: it belongs to its parameter.
  const masks = new Set([...model.parameters()].map(({ mask }) => mask));
  for (const [name, buffer] of model.namedBuffers()) {
    if (!masks.has(buffer)) tensors.set(`${prefix}buffer/${name}`, buffer.clone());
  }
  return tensors;
}

/**
 * Puts tensors that `modelTensors` gave into a model: parameters, masks (those of the model that the checkpoint does not have are removed) and buffers. Throws ArgumentError where names or
 * shapes differ; the model has not changed then.
 */
export function loadModelTensors(
  model: AnyModule,
  tensors: ReadonlyMap<string, Tensor>,
  prefix = 'model/',
): void {
  const places = [...model.parameterPlaces()].map(({ path, name, parameter }) => ({
    owner: path === '' ? model : model.getSubmodule(path),
    full: path === '' ? name : `${path}.${name}`,
    name,
    parameter,
  }));
  const masks = new Set([...model.parameters()].map(({ mask }) => mask));
  const buffers = [...model.namedBuffers()].filter(([, buffer]) => !masks.has(buffer));
  const find = (name: string, like: Tensor): Tensor => {
    const tensor = tensors.get(`${prefix}${name}`);
    if (!tensor) throw new ArgumentError(`checkpoint: has no '${name}'; it is of another model`);
    if (tensor.dtype === like.dtype && tensor.shape.join() === like.shape.join()) return tensor;
    throw new ArgumentError(`checkpoint: '${name}' is ${tensor}, expected ${like}; it is of another model`);
  };
  const found = places.map(({ full, parameter }) => find(`parameter/${full}`, parameter.data));
  const foundBuffers = buffers.map(([name, buffer]) => find(`buffer/${name}`, buffer));
  places.forEach(({ owner, full, name, parameter }, index) => {
    const mask = tensors.get(`${prefix}mask/${full}`);
    if (parameter.pruning && !mask) remove(owner, name);
    parameter.orig.setData(found[index]!.clone().data);
    parameter.refresh();
    if (!mask) return;
    if (parameter.pruning) {
      parameter.pruning.mask.setData(mask.clone().data);
      parameter.refresh();
    } else customFromMask(owner, name, mask.clone());
  });
  buffers.forEach(([, buffer], index) => {
    buffer.setData(foundBuffers[index]!.clone().data);
  });
}
