import type { Value } from '../../ir/index.ts';
import type { Parameter } from '../../nn/index.ts';
import {
  checkNumber,
  decayed,
  type GroupOptions,
  groupsOf,
  Optimizer,
  type ParamGroup,
  type Update,
  type UpdateContext,
} from './optimizer.ts';

/** Options of Adam and AdamW, with PyTorch's defaults. */
export interface AdamOptions {
  /** Learning rate; default 1e-3. */
  lr?: number;
  /** Decay of the running averages of the gradient and of its square; default [0.9, 0.999]. */
  betas?: [number, number];
  /** Added to the denominator; default 1e-8. */
  eps?: number;
  /** Adam: L2 penalty, added to the gradient (default 0). AdamW: share of the weights taken off (default 1e-2). */
  weightDecay?: number;
  /** Divide by the largest running average so far (Reddi et al. 2018); default false. */
  amsgrad?: boolean;
}

interface AdamGroup extends ParamGroup {
  betas: [number, number];
  readonly eps: number;
  readonly amsgrad: boolean;
}

/**
 * What Adam and AdamW share (Kingma & Ba 2015): `m = β1 m + (1 - β1) g; v = β2 v + (1 - β2) g²; p -= lr m̂ / (√v̂ + ε)` with `m̂ = m / (1 - β1^t)`, `v̂ = v / (1 - β2^t)`.
 */
abstract class AdamBase extends Optimizer<AdamGroup> {
  /** Throws ArgumentError for negative numbers and for betas outside [0, 1). */
  constructor(
    name: string,
    params: Iterable<Parameter> | readonly GroupOptions<AdamOptions>[],
    options: AdamOptions,
    weightDecay: number,
  ) {
    const defaults = { lr: 1e-3, eps: 1e-8, weightDecay, amsgrad: false, ...options };
    const betas = options.betas ?? [0.9, 0.999];
    // Each group has betas of its own: schedules change them.
    const groups = groupsOf<AdamOptions>(params, { ...defaults, betas }).map(
      (group): AdamGroup => ({ ...group, betas: [group.betas[0], group.betas[1]] }),
    );
    super(name, groups);
    for (const group of groups) {
      checkNumber('eps', group.eps, (x) => x >= 0);
      group.betas.forEach((beta, index) => {
        checkNumber(`beta parameter at index ${index}`, beta, (x) => x >= 0 && x < 1);
      });
    }
  }

  override stateNames({ amsgrad }: AdamGroup): readonly string[] {
    return ['exp_avg', 'exp_avg_sq', ...(amsgrad ? ['max_exp_avg_sq'] : [])];
  }

  override hyperparameters({ lr, weightDecay, betas, eps }: AdamGroup): Record<string, number> {
    const t = this.steps + 1;
    const [beta1, beta2] = betas;
    return {
      weightDecay,
      beta1,
      beta2,
      rest1: 1 - beta1,
      rest2: 1 - beta2,
      eps,
      stepSize: lr / (1 - beta1 ** t),
      root: Math.sqrt(1 - beta2 ** t),
      keep: 1 - lr * weightDecay,
    };
  }

  /** `p - lr m̂ / (√v̂ + ε)` and the new averages. */
  protected step(group: AdamGroup, { make, state, hyper }: UpdateContext, param: Value, grad: Value): Update {
    const average = make.add(make.mul(state.exp_avg!, hyper.beta1!), make.mul(grad, hyper.rest1!));
    const square = make.add(
      make.mul(state.exp_avg_sq!, hyper.beta2!),
      make.mul(make.mul(grad, grad), hyper.rest2!),
    );
    const largest = group.amsgrad ? make.op('Max', [state.max_exp_avg_sq!, square]) : square;
    const denominator = make.add(make.div(make.sqrt(largest), hyper.root!), hyper.eps!);
    return {
      param: make.sub(param, make.mul(make.div(average, denominator), hyper.stepSize!)),
      state: {
        exp_avg: average,
        exp_avg_sq: square,
        ...(group.amsgrad ? { max_exp_avg_sq: largest } : {}),
      },
    };
  }
}

/** Adam (`torch.optim.Adam`); weight decay is added to the gradient. */
export class Adam extends AdamBase {
  constructor(params: Iterable<Parameter> | readonly GroupOptions<AdamOptions>[], options: AdamOptions = {}) {
    super('Adam', params, options, 0);
  }

  override update(group: AdamGroup, context: UpdateContext): Update {
    return this.step(group, context, context.param, decayed(context, group.weightDecay));
  }
}

/** AdamW (`torch.optim.AdamW`, Loshchilov & Hutter 2019); weights are scaled by `1 - lr λ` before the step, and λ is no part of the gradient. */
export class AdamW extends AdamBase {
  constructor(params: Iterable<Parameter> | readonly GroupOptions<AdamOptions>[], options: AdamOptions = {}) {
    super('AdamW', params, options, 1e-2);
  }

  override update(group: AdamGroup, context: UpdateContext): Update {
    const { make, param, grad, hyper } = context;
    const kept = group.weightDecay === 0 ? param : make.mul(param, hyper.keep!);
    return this.step(group, context, kept, grad);
  }
}
