import { parse, YAMLParseError } from 'yaml';
import { FormatError } from '../core/errors.ts';
import { readBytes } from './file.ts';

/** Reads a yaml file as plain data. Throws FileError where it cannot be read, FormatError where it is no yaml. */
export function readYaml(path: string): unknown {
  const text = new TextDecoder().decode(readBytes(path));
  try {
    return parse(text, { maxAliasCount: 100 });
  } catch (error) {
    if (!(error instanceof YAMLParseError) && !(error instanceof ReferenceError)) throw error;
    throw new FormatError(path, `is no yaml: ${error.message.split('\n')[0]}`, {}, { cause: error });
  }
}
