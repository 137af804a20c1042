import { ArgumentError } from '../../core/errors.ts';
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

/** Options of SGD, with PyTorch's defaults. */
export interface SGDOptions {
  /** Learning rate; default 1e-3. */
  lr?: number;
  /** Default 0. */
  momentum?: number;
  /** Default 0. */
  dampening?: number;
  /** L2 penalty, added to the gradient; default 0. */
  weightDecay?: number;
  /** Look ahead along the momentum; default false. */
  nesterov?: boolean;
}

interface SGDGroup extends ParamGroup {
  momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
}

/** Stochastic gradient descent with momentum (`torch.optim.SGD`): `b = μ b + (1 - τ) g; p -= lr b`, or with Nesterov `p -= lr (g + μ b)`. */
export class SGD extends Optimizer<SGDGroup> {
  /** Throws ArgumentError for negative numbers, and for Nesterov without momentum or with dampening. */
  constructor(params: Iterable<Parameter> | readonly GroupOptions<SGDOptions>[], options: SGDOptions = {}) {
    const defaults = { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, ...options };
    const groups = groupsOf<SGDOptions>(params, defaults);
    super('SGD', groups);
    for (const { momentum, dampening, nesterov } of groups) {
      checkNumber('momentum', momentum, (x) => x >= 0);
      if (nesterov && (momentum <= 0 || dampening !== 0)) {
        throw new ArgumentError('SGD: Nesterov momentum requires a momentum and zero dampening');
      }
    }
  }

  override stateNames({ momentum }: SGDGroup): readonly string[] {
    return momentum === 0 ? [] : ['momentum_buffer'];
  }

  override hyperparameters({ lr, weightDecay, momentum, dampening }: SGDGroup): Record<string, number> {
    // PyTorch's first step takes the gradient whole.
    return { lr, weightDecay, momentum, share: this.steps === 0 ? 1 : 1 - dampening };
  }

  override update(group: SGDGroup, context: UpdateContext): Update {
    const { make, param, state, hyper } = context;
    const grad = decayed(context, group.weightDecay);
    const descend = (along: typeof grad): typeof grad => make.sub(param, make.mul(along, hyper.lr!));
    if (group.momentum === 0) return { param: descend(grad), state: {} };
    const share = group.dampening === 0 ? grad : make.mul(grad, hyper.share!);
    const buffer = make.add(make.mul(state.momentum_buffer!, hyper.momentum!), share);
    const along = group.nesterov ? make.add(grad, make.mul(buffer, hyper.momentum!)) : buffer;
    return { param: descend(along), state: { momentum_buffer: buffer } };
  }
}
