import type { Graph } from '../ir/index.ts';
import { exampleInput } from '../models/index.ts';
import { type AnyModule, GraphModule, type Parameter, toGraph } from '../nn/index.ts';
import { isArchitecture, loadModel } from './load.ts';
import { type OpenedData, openData } from './training-data.ts';
import type { DataOptions } from './training-options.ts';
import { UsageError } from './usage-error.ts';

/** A classifier of the command line, and the data it is trained or judged on. */
export interface OpenedModel {
  /** As it was named. */
  readonly source: string;
  readonly module: AnyModule;
  readonly data: OpenedData;
  /** The graph that is written: it shares the module's weights. */
  graph(): Graph;
}

/** Input shape of a model with its batch axis; null for what it leaves open. */
function inputShape(source: string, options: DataOptions): readonly (number | null)[] | null {
  const given = options.shape?.at(-1)?.shape;
  if (given) return given;
  if (isArchitecture(source)) return exampleInput(source.toLowerCase());
  const { graph } = loadModel(source, fileOptions(options));
  if (graph.feeds.length !== 1) {
    throw new UsageError(
      `'${source}' has ${graph.feeds.length} inputs; training and judging work for classifiers of one input`,
    );
  }
  const type = graph.feeds[0]?.type;
  const shape = type?.kind === 'tensor' ? type.shape : null;
  return shape?.map((dim) => (typeof dim === 'number' ? dim : null)) ?? null;
}

/** What belongs to an architecture is not asked of a file: only said of it where it was typed. */
const fileOptions = ({ classes, weights, seed }: DataOptions) => ({
  ...(classes === undefined ? {} : { classes }),
  ...(weights === undefined ? {} : { weights }),
  ...(seed === undefined ? {} : { seed }),
});

/**
 * Opens a model and the data that `--data` names. An architecture gets fresh weights by the seed, and as many classes as the data has. Throws UsageError where the two do not
 * fit or the model is no classifier; the errors of readers otherwise.
 */
export async function openModel(source: string, options: DataOptions): Promise<OpenedModel> {
  const data = await openData(options, inputShape(source, options));
  const { module, graph } = moduleOf(source, options, data);
  checkClassifier(source, graph, data);
  return { source, module, data, graph: () => graph };
}

/** A model for data that is open already: the first of a command, or a teacher. Errors as `openModel`. */
export function moduleOf(
  source: string,
  options: DataOptions,
  data: OpenedData,
): { readonly module: AnyModule; readonly graph: Graph } {
  const classes = options.classes ?? data.classes?.length;
  const { module } = loadModel(source, {
    ...fileOptions(options),
    ...(isArchitecture(source) && classes !== undefined ? { classes } : {}),
  });
  return {
    module,
    graph: module instanceof GraphModule ? module.graph : toGraph(module, [['batch', ...data.inputShape]]),
  };
}

/** Throws UsageError where the model does not give a number for each class. */
export function checkClassifier(source: string, graph: Graph, { classes }: OpenedData): void {
  const type = graph.outputs[0]?.type;
  const shape = type?.kind === 'tensor' ? type.shape : null;
  if (!shape) return;
  if (shape.length !== 2) {
    throw new UsageError(
      `'${source}' is no classifier: its output has the shape [${shape.map((dim) => dim ?? '?').join(', ')}], expected [batch, classes]`,
    );
  }
  const [, outputs] = shape;
  if (classes && typeof outputs === 'number' && outputs < classes.length) {
    throw new UsageError(`'${source}' knows ${outputs} classes, the data has ${classes.length}`);
  }
}

/** Parameters that can be trained. */
export const trainable = (module: AnyModule): Parameter[] =>
  [...module.parameters()].filter(({ requiresGrad, data }) => requiresGrad && data.dtype === 'float32');
