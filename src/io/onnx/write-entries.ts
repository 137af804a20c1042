import { ENTRY } from './fields.ts';
import { keptFields } from './kept.ts';
import type { WireWriter } from './wire-writer.ts';

/** Writes a map as a list of `StringStringEntryProto`. */
export function writeEntries(writer: WireWriter, field: number, entries: ReadonlyMap<string, string>): void {
  for (const [key, value] of entries) {
    writer.message(field, (entry) => {
      entry.string(ENTRY.key, key);
      entry.string(ENTRY.value, value);
      writeRaw(entry, keptFields(entries, key));
    });
  }
}

/** Writes fields as they were read. */
export function writeRaw(writer: WireWriter, fields: readonly Uint8Array[]): void {
  for (const field of fields) writer.raw(field);
}
