import type { Tensor } from '../../core/tensor.ts';

/**
 * What a file says of things that have no room for it in the graph: fields of newer formats on messages that became plain
 * objects here (tensors, types, lists of entries), and names of tensors that are attributes. It stays with the object as long
 * as that lives, is written back with it, and means nothing to computation.
 */

const fieldsByOwner = new WeakMap<object, Map<string | number, readonly Uint8Array[]>>();

/** Keeps raw fields (tags included) for an object, or for the part of it that `part` names. */
export function keepFields(owner: object, fields: readonly Uint8Array[], part: string | number = ''): void {
  if (fields.length === 0) return;
  const parts = fieldsByOwner.get(owner);
  if (parts) parts.set(part, fields);
  else fieldsByOwner.set(owner, new Map([[part, fields]]));
}

/** The raw fields kept for an object, or for a part of it. */
export const keptFields = (owner: object, part: string | number = ''): readonly Uint8Array[] =>
  fieldsByOwner.get(owner)?.get(part) ?? [];

/** What a file says of a tensor beside its elements. */
export interface TensorNotes {
  readonly name: string;
  readonly docString: string;
  readonly metadata: ReadonlyMap<string, string>;
}

const notesByTensor = new WeakMap<Tensor, TensorNotes>();

const NO_NOTES: TensorNotes = { name: '', docString: '', metadata: new Map() };

/** Keeps a tensor's name, doc string and metadata, where there are any. */
export function keepNotes(tensor: Tensor, notes: TensorNotes): void {
  if (notes.name !== '' || notes.docString !== '' || notes.metadata.size > 0)
    notesByTensor.set(tensor, notes);
}

/** The notes kept for a tensor. */
export const keptNotes = (tensor: Tensor): TensorNotes => notesByTensor.get(tensor) ?? NO_NOTES;
