import { ArgumentError } from '../core/errors.ts';
import { type AnyModule, F, Module, type ModuleOutput, Variable } from '../nn/index.ts';

/** What a loss may look at beside output and target. */
export interface LossContext {
  /** All outputs of the model; the first is `output`. */
  readonly outputs: readonly Variable[];
  /** The model's inputs. */
  readonly inputs: readonly Variable[];
  /** What the teacher says of the inputs, where there is one. */
  readonly teacher: Variable | null;
}

/** A loss, and numbers that are told beside it: what it is the sum of, say. */
export interface LossWithParts {
  readonly loss: Variable;
  /** Of shape [], by name; their means over the batches are told as metrics are. */
  readonly parts: Readonly<Record<string, Variable>>;
}

/** Writes a loss, a value of shape [], out of the model's output and the target. */
export type LossFunction = (
  output: Variable,
  target: Variable,
  context: LossContext,
) => Variable | LossWithParts;

/** A term added to the loss that depends on the parameters alone, such as an L1 penalty; see `regularizers`. */
export type Regularizer = (model: AnyModule, like: Variable) => Variable;

const LOSSES: Readonly<Record<string, LossFunction>> = {
  crossEntropy: (output, target) => F.crossEntropy(output, target),
  bceWithLogits: (output, target) => F.binaryCrossEntropyWithLogits(output, target),
  mse: (output, target) => F.mseLoss(output, target),
  l1: (output, target) => F.l1Loss(output, target),
  smoothL1: (output, target) => F.smoothL1Loss(output, target),
  nll: (output, target) => F.nllLoss(output, target),
};

/** Losses that can be asked for by name. */
export const lossNames: readonly string[] = Object.keys(LOSSES);

/** A loss by name, or the one given. Throws ArgumentError where the name is not known. */
export function lossFunction(loss: LossFunction | string): LossFunction {
  if (typeof loss === 'function') return loss;
  const found = LOSSES[loss];
  if (found) return found;
  throw new ArgumentError(`loss '${loss}' is not known; expected ${lossNames.join(', ')}, or a function`);
}

/** Options of `distillationLoss`. */
export interface DistillationOptions {
  /** Softens both distributions; default 4. */
  readonly temperature?: number;
  /** Share of the teacher's word; default 0.9. */
  readonly alpha?: number;
}

/** Knowledge distillation (Hinton et al. 2015) from the trainer's `teacher`: `α T² KL(teacher || student) + (1 - α) CE`. Throws ArgumentError where the trainer has no teacher. */
export const distillationLoss =
  (options: DistillationOptions = {}): LossFunction =>
  (output, target, { teacher }) => {
    if (teacher) return F.distillation(output, teacher, target, options);
    throw new ArgumentError(
      'distillationLoss: there is no teacher; give the trainer one: { teacher: model }',
    );
  };

const listOf = (output: ModuleOutput): readonly Variable[] =>
  output instanceof Variable ? [output] : output;

/** What is differentiated: model, teacher and loss as one module. Gives the loss, then its parts, then the model's outputs. */
export class Objective extends Module<readonly Variable[]> {
  readonly model: AnyModule;
  readonly teacher: AnyModule | null;
  readonly #loss: LossFunction;
  readonly #regularizers: readonly Regularizer[];
  #partNames: readonly string[] = [];

  constructor(
    model: AnyModule,
    loss: LossFunction,
    options: { teacher?: AnyModule | null; regularizers?: readonly Regularizer[] } = {},
  ) {
    super();
    this.model = model;
    this.teacher = options.teacher ?? null;
    this.#loss = loss;
    this.#regularizers = options.regularizers ?? [];
  }

  /** Names of the loss's parts, known once it was traced. */
  get partNames(): readonly string[] {
    return this.#partNames;
  }

  override forward(...given: Variable[]): readonly Variable[] {
    const inputs = given.slice(0, -1);
    const target = given.at(-1);
    if (!target || inputs.length === 0) throw new ArgumentError('Objective: expects inputs and a target');
    const outputs = listOf(this.model.call(...inputs));
    const [output] = outputs;
    if (!output) throw new ArgumentError(`${this.model.typeName}: has no output to compute a loss from`);
    const teacher = this.teacher ? (listOf(this.teacher.call(...inputs))[0] ?? null) : null;
    const judged = this.#loss(output, target, { outputs, inputs, teacher });
    const { loss: own, parts } = judged instanceof Variable ? { loss: judged, parts: {} } : judged;
    let loss = own;
    for (const regularizer of this.#regularizers) loss = loss.add(regularizer(this.model, loss));
    this.#partNames = Object.keys(parts);
    return [loss, ...Object.values(parts), ...outputs];
  }

  /** Puts model and teacher into their modes, runs `body`, and puts every module back into its own. */
  inMode<T>(training: boolean, body: () => T): T {
    const before = [...this.modules()].map((module) => [module, module.training] as const);
    this.model.train(training);
    this.teacher?.eval();
    try {
      return body();
    } finally {
      for (const [module, mode] of before) module.training = mode;
    }
  }
}
