import { SecateurError } from '../core/errors.ts';

/** A sample or a batch could not be made. `cause` is what its data set threw; `code` is 'data'. */
export class DataError extends SecateurError {
  /** The sample's index in the data set; undefined where the whole batch failed. */
  readonly index: number | undefined;

  constructor(message: string, index: number | undefined, options?: ErrorOptions) {
    super('data', message, options);
    this.index = index;
  }
}
