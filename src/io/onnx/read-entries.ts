import { ENTRY } from './fields.ts';
import { keepFields } from './kept.ts';
import type { WireReader } from './wire-reader.ts';

/** Reads a `StringStringEntryProto`, the reader's field at hand. */
export function readEntry(
  reader: WireReader,
  index: number,
): { key: string; value: string; unknown: Uint8Array[] } {
  const entry = reader.message(ENTRY, index);
  let key = '';
  let value = '';
  const unknown: Uint8Array[] = [];
  while (entry.next()) {
    if (entry.field === ENTRY.key) key = entry.string();
    else if (entry.field === ENTRY.value) value = entry.string();
    else unknown.push(entry.raw());
  }
  return { key, value, unknown };
}

/** Reads one entry of a list of keys and values into a map; an error where the key is there already. */
export function readUniqueEntry(reader: WireReader, into: Map<string, string>): void {
  const { key, value, unknown } = readEntry(reader, into.size);
  if (into.has(key)) throw reader.fail(`the key '${key}' is given twice`);
  into.set(key, value);
  keepFields(into, unknown, key);
}
