import { dtypeInfo } from '../../core/dtype.ts';
import { ArgumentError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import { printType, tensorType, type Value } from '../../ir/index.ts';
import { F, Module, Tracer, type Variable } from '../../nn/index.ts';
import type { Composition } from '../../ops/index.ts';
import type { ImportanceLoss, ImportanceOptions } from './options.ts';
import type { Workbench } from './workbench.ts';

/** A loss in a graph. */
export interface AddedLoss {
  readonly loss: Value;
  /** Name of the graph input that takes the target. */
  readonly targetName: string;
  /** Nodes of the loss whose gradient is known as a whole. */
  readonly compositions: readonly Composition[];
}

/** The loss as a module, so that its nodes have names of their own in the model's graph. */
class Loss extends Module {
  readonly #loss: ImportanceLoss;

  constructor(loss: ImportanceLoss) {
    super();
    this.#loss = loss;
  }

  override forward(...given: Variable[]): Variable {
    return this.#loss(given.slice(1), given[0]!);
  }
}

/** Holds the loss under its name. */
class Root extends Module {
  readonly importance: Loss;

  constructor(loss: ImportanceLoss) {
    super();
    this.importance = new Loss(loss);
  }

  override forward(...given: Variable[]): Variable {
    return this.importance.call(...given);
  }
}

/**
 * Adds the loss of `options`, cross entropy by default, and an input for targets like this one. Throws ArgumentError where there is none by default, or it is not one number.
 */
export function addLoss(
  { builder, outputs }: Workbench,
  target: Tensor,
  options: Pick<ImportanceOptions, 'loss' | 'method'>,
): AddedLoss {
  const root = new Root(options.loss ?? defaultLoss(builder, outputs, target, options.method));
  const tracer = new Tracer(root, builder);
  const given = tracer.input(builder.graph.freshName('target'), target.dtype, target.shape);
  const { value, shape } = root.call(given, ...outputs.map((output) => tracer.variable(output)));
  if (shape.some((size) => size !== 1)) {
    throw new ArgumentError(
      `importance: the loss must be one number, got shape [${shape.map((dim) => dim ?? '?').join(', ')}]; reduce it with mean() or sum()`,
    );
  }
  return { loss: value, targetName: given.value.name, compositions: tracer.compositions };
}

/** Cross entropy, where outputs and targets are those of a classifier. */
function defaultLoss(
  builder: Workbench['builder'],
  outputs: readonly Value[],
  target: Tensor,
  method: string,
): ImportanceLoss {
  const types = outputs.map((output) => builder.inferred(output));
  const [output] = types;
  const { kind } = dtypeInfo(target.dtype);
  const isClassifier =
    types.length === 1 &&
    output?.shape.length === 2 &&
    (kind === 'int' || kind === 'uint') &&
    target.shape.length === 1;
  if (isClassifier) return ([scores], labels) => F.crossEntropy(scores!, labels);
  const given = types.map(({ dtype, shape }) => printType(tensorType(dtype, shape))).join(', ');
  throw new ArgumentError(
    `importance: '${method}' needs a loss: cross entropy takes one output [N, C] and whole numbers [N] as targets, got ${given} and ${target}; give { loss: (outputs, target) => … }`,
  );
}
