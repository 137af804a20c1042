import { FormatError } from '../../core/errors.ts';

/** Bytes that reading may take beside twice the file: what pickles and small files need. */
const SLACK = 2 ** 26;

/** Where something is read, for messages. */
export interface Place {
  readonly offset?: number;
  readonly field?: string;
}

/**
 * Memory that reading a checkpoint may take beside the file itself. Whatever a few bytes of a file can make grow is charged here before it
 * is made: unpacked records, objects of pickles, tensors that are copied or widened.
 */
export class MemoryBudget {
  readonly limit: number;
  #left: number;

  /** `limit` in bytes; default twice the file and 64 MiB. */
  constructor(fileBytes: number, limit: number = 2 * fileBytes + SLACK) {
    this.limit = limit;
    this.#left = limit;
  }

  /** Takes bytes from what is left. Throws FormatError where they are not left. */
  charge(bytes: number, place: Place): void {
    this.#left -= bytes;
    if (this.#left >= 0) return;
    throw new FormatError(
      'PyTorch',
      `reading it takes more than ${this.limit} bytes of memory; raise maxBytes if the file is to be trusted`,
      place,
    );
  }
}
