import { SecateurError } from '../core/errors.ts';

/** The command line asks for something that cannot be: exit code 2. */
export class UsageError extends SecateurError {
  constructor(message: string, options?: ErrorOptions) {
    super('usage', message, options);
  }
}
