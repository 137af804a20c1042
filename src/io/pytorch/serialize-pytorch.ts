import { dtypeInfo } from '../../core/dtype.ts';
import { ArgumentError } from '../../core/errors.ts';
import { stridesOf, type Tensor } from '../../core/tensor.ts';
import { storeZip, type ZipFile } from '../zip-writer.ts';
import { storageClassOf, torchNameOf } from './element-types.ts';
import { PickleWriter } from './pickle-writer.ts';

/** Storages begin at multiples of so many bytes, as PyTorch's own: files can be mapped into memory. */
const ALIGNMENT = 64;
/** Folder in the archive that holds everything. */
const FOLDER = 'archive';

const ORDERED_DICT = ['collections', 'OrderedDict'] as const;

/**
 * Writes a state dict as PyTorch's zip format: a list of chunks to be written one after another. It holds what
 * `torch.save(model.state_dict(), path)` does, and `torch.load(path, weights_only=True)` reads it. The tensors' elements are passed on, not
 * copied; names that share a Tensor share memory there too. The same tensors give the same bytes.
 *
 * Throws ArgumentError where PyTorch does not have a dtype (strings, integers of 2 or 4 bits, float4).
 */
export function serializePyTorch(tensors: ReadonlyMap<string, Tensor>): Uint8Array[] {
  const pickle = new PickleWriter();
  const storages = new Map<ArrayBufferLike, Map<string, string>>();
  const files: ZipFile[] = [];
  const keyOf = ({ bytes, dtype }: Tensor): string => {
    const known = storages.get(bytes.buffer) ?? new Map<string, string>();
    storages.set(bytes.buffer, known);
    // A storage has one type of elements.
    const place = `${dtype} ${bytes.byteOffset} ${bytes.byteLength}`;
    const key = known.get(place) ?? String(files.length);
    if (!known.has(place)) {
      known.set(place, key);
      files.push({ name: `${FOLDER}/data/${key}`, bytes });
    }
    return key;
  };
  pickle.global(...ORDERED_DICT);
  pickle.emptyTuple();
  pickle.reduce();
  pickle.mark();
  for (const [name, tensor] of tensors) {
    pickle.text(name);
    writeTensor(pickle, name, tensor, keyOf);
  }
  pickle.setItems();
  const text = (name: string, content: string): ZipFile => ({
    name: `${FOLDER}/${name}`,
    bytes: new TextEncoder().encode(content),
  });
  return storeZip(
    [
      { name: `${FOLDER}/data.pkl`, bytes: pickle.end() },
      text('.format_version', '1'),
      text('.storage_alignment', String(ALIGNMENT)),
      text('byteorder', 'little'),
      ...files,
      text('version', '3\n'),
    ],
    ALIGNMENT,
  );
}

/**
 * `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)`; where the dtype has no storage class,
 * `_rebuild_tensor_v3` with the dtype behind.
 */
function writeTensor(
  pickle: PickleWriter,
  name: string,
  tensor: Tensor,
  keyOf: (tensor: Tensor) => string,
): void {
  const { dtype, shape } = tensor;
  const storageClass = storageClassOf(dtype);
  const torchName = torchNameOf(dtype);
  if (torchName === null) {
    throw new ArgumentError(
      `serializePyTorch: '${name}' is ${tensor}, a dtype PyTorch does not have; cast it first`,
    );
  }
  const { bytes } = tensor;
  const count = storageClass === null ? bytes.byteLength : bytes.byteLength / (dtypeInfo(dtype).bits / 8);
  pickle.global('torch._utils', storageClass === null ? '_rebuild_tensor_v3' : '_rebuild_tensor_v2');
  pickle.mark();
  pickle.mark();
  pickle.text('storage');
  if (storageClass === null) pickle.global('torch.storage', 'UntypedStorage');
  else pickle.global('torch', storageClass);
  pickle.text(keyOf(tensor));
  pickle.text('cpu');
  pickle.whole(count);
  pickle.tuple();
  pickle.persistent();
  pickle.whole(0);
  pickle.wholes(shape);
  pickle.wholes(stridesOf(shape));
  pickle.bool(false);
  pickle.global(...ORDERED_DICT);
  pickle.emptyTuple();
  pickle.reduce();
  if (storageClass === null) pickle.global('torch', torchName);
  pickle.tuple();
  pickle.reduce();
}
