import { FormatError, UnsupportedError } from '../../core/errors.ts';
import { swappedBytes } from '../byte-order.ts';
import { type ZipMember, zipMembers } from '../zip.ts';
import type { MemoryBudget } from './budget.ts';
import { type Container, storageId } from './container.ts';
import type { CallContext } from './pickle-calls.ts';
import { unpickle } from './pickle-machine.ts';
import { type PickleValue, shortened } from './pickle-values.ts';
import { TensorStorage } from './stored-tensor.ts';

/** Bytes an entry of the archive's directory takes, roughly. */
const MEMBER_BYTES = 512;
/** Entries that are named in the error where the archive is no checkpoint. */
const MOST_NAMED = 4;

const PICKLE = 'data.pkl';

const fail = (message: string, offset?: number, field?: string): FormatError =>
  new FormatError('PyTorch', message, {
    ...(offset === undefined ? {} : { offset }),
    ...(field === undefined ? {} : { field: shortened(field) }),
  });

/** The files of the archive, and what is to be known to read them. */
class Archive {
  readonly members = new Map<string, ZipMember>();
  /** Where `data.pkl` lies: `archive/`, or whatever the file was called. */
  readonly folder: string;
  readonly bigEndian: boolean;
  readonly #budget: MemoryBudget;
  readonly #checksum: boolean;

  constructor(bytes: Uint8Array, budget: MemoryBudget) {
    this.#budget = budget;
    for (const member of zipMembers(bytes)) {
      const { name, offset } = member;
      budget.charge(MEMBER_BYTES, { offset, field: shortened(name) });
      if (this.members.has(name)) throw fail('the archive holds two files of this name', offset, name);
      this.members.set(name, member);
    }
    const names = [...this.members.keys()];
    const pickles = names.filter((name) => name === PICKLE || name.endsWith(`/${PICKLE}`));
    if (pickles.length !== 1) {
      const held = names.slice(0, MOST_NAMED).map((name) => `'${shortened(name)}'`);
      throw fail(
        pickles.length > 1
          ? `the archive holds ${pickles.length} files named ${PICKLE}`
          : `the archive holds no ${PICKLE}, so it is no checkpoint; it holds ${held.length === 0 ? 'nothing' : `${held.join(', ')}${names.length > MOST_NAMED ? ', …' : ''}`}`,
      );
    }
    this.folder = pickles[0]!.slice(0, -PICKLE.length);
    if (this.members.has(`${this.folder}constants.pkl`)) {
      throw new UnsupportedError(
        'PyTorch: the file is a TorchScript program, of which weights are not read; in Python: torch.save(torch.jit.load(FILE).state_dict(), NEW)',
      );
    }
    // PyTorch writes zeros where it is told to compute no checksums (`set_crc32_options`).
    this.#checksum = [...this.members.values()].some(({ crc }) => crc !== 0);
    this.bigEndian = this.#byteOrder() === 'big';
  }

  /** A file beside `data.pkl`. */
  get(name: string): ZipMember | undefined {
    return this.members.get(this.folder + name);
  }

  /** The bytes of a file: a view of the archive where it is stored. */
  unpack(member: ZipMember): Uint8Array {
    if (!member.stored) {
      this.#budget.charge(member.size, { offset: member.offset, field: shortened(member.name) });
    }
    return member.unpack({ checksum: this.#checksum });
  }

  #byteOrder(): string {
    const member = this.get('byteorder');
    if (!member) return 'little';
    const text = new TextDecoder('latin1').decode(this.unpack(member).subarray(0, 16));
    if (text !== 'little' && text !== 'big') {
      throw fail(
        `the byte order is '${shortened(text)}'; expected little or big`,
        member.offset,
        member.name,
      );
    }
    return text;
  }
}

/**
 * Reads the zip format: `data.pkl` with the objects, `data/KEY` with each storage, `byteorder` little or big. Storages are unpacked when
 * tensors are made of them; what the archive stores unpacked is not copied.
 *
 * Throws FormatError where the archive or the pickle is damaged, or a storage is missing or of another size than the pickle says;
 * UnsupportedError for TorchScript.
 */
export function readZipContainer(bytes: Uint8Array, budget: MemoryBudget): Container {
  const archive = new Archive(bytes, budget);
  const storages = new Map<string, TensorStorage>();
  const unpacked = new Map<ZipMember, Uint8Array>();
  const contents = (member: ZipMember): Uint8Array => {
    const known = unpacked.get(member) ?? archive.unpack(member);
    unpacked.set(member, known);
    return known;
  };
  const persistent = (id: PickleValue, context: CallContext): PickleValue => {
    const { key, type, count } = storageId(id, context);
    const member = archive.get(`data/${key}`);
    if (!member) throw context.fail(`the archive has no storage 'data/${shortened(key)}'`);
    if (Math.floor(member.size / type.bytes) !== count) {
      throw context.fail(
        `the storage 'data/${shortened(key)}' should hold ${count} elements of ${type.name}, but has ${member.size} bytes`,
      );
    }
    const known = storages.get(`${key} ${type.name}`);
    if (known) return known;
    context.charge(MEMBER_BYTES);
    const turned = new Map<number, Uint8Array>();
    const storage = new TensorStorage(key, type, count, (width) => {
      const made = archive.bigEndian && width > 1 ? turned.get(width) : contents(member);
      if (made) return made;
      budget.charge(member.size, { offset: member.offset, field: shortened(member.name) });
      const bytes = swappedBytes(contents(member).subarray(0, count * type.bytes), width);
      turned.set(width, bytes);
      return bytes;
    });
    storages.set(`${key} ${type.name}`, storage);
    return storage;
  };
  const pickle = archive.get(PICKLE)!;
  const { value } = unpickle(
    archive.unpack(pickle),
    0,
    // A packed pickle has no places in the file: offsets count from its own beginning.
    {
      base: pickle.stored ? pickle.offset : 0,
      field: pickle.stored ? pickle.name : `${pickle.name}, unpacked`,
    },
    { budget, persistent },
  );
  return { root: value, format: 'zip' };
}
