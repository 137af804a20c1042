import { ArgumentError, FormatError } from '../core/errors.ts';
import { type DetectorHyperparameters, parseHyperparameters } from '../detect/index.ts';
import { readYaml } from './yaml.ts';

/** Reads a detector's hyperparameters out of a yaml by Ultralytics' names, see `parseHyperparameters`. Throws FileError where it cannot be read, FormatError where it holds something else. */
export function readHyperparameters(path: string): DetectorHyperparameters {
  const content = readYaml(path);
  try {
    return parseHyperparameters(content);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new FormatError(path, error.message, {}, { cause: error });
  }
}
