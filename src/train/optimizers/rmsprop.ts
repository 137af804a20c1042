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

/** Options of RMSprop, with PyTorch's defaults. */
export interface RMSpropOptions {
  /** Learning rate; default 1e-2. */
  lr?: number;
  /** Decay of the running average of squares; default 0.99. */
  alpha?: number;
  /** Added to the denominator; default 1e-8. */
  eps?: number;
  /** L2 penalty, added to the gradient; default 0. */
  weightDecay?: number;
  /** Default 0. */
  momentum?: number;
  /** Divide by the estimated standard deviation in place of the root mean square; default false. */
  centered?: boolean;
}

interface RMSpropGroup extends ParamGroup {
  momentum: number;
  readonly alpha: number;
  readonly eps: number;
  readonly centered: boolean;
}

/** RMSprop (`torch.optim.RMSprop`): `v = α v + (1 - α) g²; p -= lr g / (√v + ε)`. */
export class RMSprop extends Optimizer<RMSpropGroup> {
  /** Throws ArgumentError for negative numbers. */
  constructor(
    params: Iterable<Parameter> | readonly GroupOptions<RMSpropOptions>[],
    options: RMSpropOptions = {},
  ) {
    const defaults = {
      lr: 1e-2,
      alpha: 0.99,
      eps: 1e-8,
      weightDecay: 0,
      momentum: 0,
      centered: false,
      ...options,
    };
    const groups = groupsOf<RMSpropOptions>(params, defaults);
    super('RMSprop', groups);
    for (const { momentum, alpha, eps } of groups) {
      checkNumber('momentum', momentum, (x) => x >= 0);
      checkNumber('alpha', alpha, (x) => x >= 0);
      checkNumber('eps', eps, (x) => x >= 0);
    }
  }

  override stateNames({ momentum, centered }: RMSpropGroup): readonly string[] {
    return ['square_avg', ...(momentum > 0 ? ['momentum_buffer'] : []), ...(centered ? ['grad_avg'] : [])];
  }

  override hyperparameters({ lr, weightDecay, momentum, alpha, eps }: RMSpropGroup): Record<string, number> {
    return { lr, weightDecay, momentum, alpha, rest: 1 - alpha, eps };
  }

  override update(group: RMSpropGroup, context: UpdateContext): Update {
    const { make, param, state, hyper } = context;
    const grad = decayed(context, group.weightDecay);
    const square = make.add(
      make.mul(state.square_avg!, hyper.alpha!),
      make.mul(make.mul(grad, grad), hyper.rest!),
    );
    const average = group.centered
      ? make.add(make.mul(state.grad_avg!, hyper.alpha!), make.mul(grad, hyper.rest!))
      : null;
    const variance = average ? make.sub(square, make.mul(average, average)) : square;
    const scaled = make.div(grad, make.add(make.sqrt(variance), hyper.eps!));
    const buffer =
      group.momentum > 0 ? make.add(make.mul(state.momentum_buffer!, hyper.momentum!), scaled) : null;
    return {
      param: make.sub(param, make.mul(buffer ?? scaled, hyper.lr!)),
      state: {
        square_avg: square,
        ...(buffer ? { momentum_buffer: buffer } : {}),
        ...(average ? { grad_avg: average } : {}),
      },
    };
  }
}
