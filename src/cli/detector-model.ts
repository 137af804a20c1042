import type { Detector, DetectorOptions } from '../detect/index.ts';
import { Detector as ModelDetector } from '../detect/index.ts';
import type { AnyModule } from '../nn/index.ts';
import type { ModelOptions } from './commands.ts';
import { isArchitecture, loadModel } from './load.ts';

/** A detector of the command line. */
export interface OpenedDetector {
  readonly detector: Detector;
  readonly module: AnyModule;
}

/** Opens a model as a detector; the boxes of an architecture are decoded. Throws as `loadModel` and `Detector`. */
export function openDetector(
  source: string,
  options: ModelOptions,
  detectorOptions: DetectorOptions,
): OpenedDetector {
  const isBuilt = isArchitecture(source);
  const { module, graph } = loadModel(source, isBuilt ? { ...options, decode: true } : options);
  // A graph is compiled once for all images, and tells the names of the classes; weights do not change here.
  const detector = new ModelDetector(isBuilt ? module : graph, detectorOptions);
  return { detector, module };
}
