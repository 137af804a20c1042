import type { Command } from 'commander';
import { UsageError } from './usage-error.ts';

/** Is the data that of a detector: a YOLO data yaml? */
export const isDetectionData = (path: string): boolean => /\.ya?ml$/i.test(path);

/** Was the option typed, or is its value the default? */
export const isTyped = (command: Command, option: string): boolean =>
  command.getOptionValueSource(option) === 'cli';

/**
 * Refuses options of a command for classifiers and detectors that belong to models of the other kind than its `--data`. Options are called as commander calls them: `validationSplit`. Throws UsageError for the first that was typed.
 */
export function refuseOthers(
  command: Command,
  data: string,
  options: { readonly ofClassifiers: readonly string[]; readonly ofDetectors: readonly string[] },
): void {
  const isDetection = isDetectionData(data);
  for (const name of isDetection ? options.ofClassifiers : options.ofDetectors) {
    if (!isTyped(command, name)) continue;
    const value: unknown = command.getOptionValue(name);
    const flags = command.options.filter((option) => option.attributeName() === name);
    const typed = (flags.find(({ negate }) => negate === (value === false)) ?? flags[0])?.long ?? name;
    throw new UsageError(
      isDetection
        ? `${typed} belongs to classifiers; '${data}' is the data of a detector`
        : `${typed} belongs to detectors, whose --data is a .yaml; got '${data}'`,
    );
  }
}
