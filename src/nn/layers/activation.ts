import type { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import { channelLayout } from '../../ops/index.ts';
import * as F from '../functional/index.ts';
import { checkProbability } from '../functional/norm.ts';
import * as init from '../init.ts';
import { Module } from '../module.ts';
import { Parameter } from '../parameter.ts';
import { pyBool, pyFloat } from '../repr.ts';
import type { Variable } from '../variable.ts';
import { checkSize } from './linear.ts';

/** The input itself. */
export class Identity extends Module {
  override forward(x: Variable): Variable {
    return x;
  }
}

/** `max(0, x)`. */
export class ReLU extends Module {
  override forward(x: Variable): Variable {
    return F.relu(x);
  }
}

/** `min(max(0, x), 6)`. */
export class ReLU6 extends Module {
  override forward(x: Variable): Variable {
    return F.relu6(x);
  }
}

/** `x sigmoid(x)`. */
export class SiLU extends Module {
  override forward(x: Variable): Variable {
    return F.silu(x);
  }
}

/** `x Φ(x)`, exact or (`approximate: 'tanh'`) by tanh. */
export class GELU extends Module {
  readonly approximate: 'none' | 'tanh';

  constructor(options: { approximate?: 'none' | 'tanh' } = {}) {
    super();
    this.approximate = options.approximate ?? 'none';
  }

  override extraRepr(): string {
    return `approximate='${this.approximate}'`;
  }

  override forward(x: Variable): Variable {
    return F.gelu(x, { approximate: this.approximate });
  }
}

/** `x max(0, min(1, x/6 + 1/2))`. */
export class Hardswish extends Module {
  override forward(x: Variable): Variable {
    return F.hardswish(x);
  }
}

/** `max(0, min(1, x/6 + 1/2))`. */
export class Hardsigmoid extends Module {
  override forward(x: Variable): Variable {
    return F.hardsigmoid(x);
  }
}

/** `x` where `x >= 0`, else `negativeSlope x`; 0.01 by default. */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;

  constructor(negativeSlope = 0.01) {
    super();
    this.negativeSlope = negativeSlope;
  }

  override extraRepr(): string {
    return `negative_slope=${this.negativeSlope}`;
  }

  override forward(x: Variable): Variable {
    return F.leakyRelu(x, this.negativeSlope);
  }
}

/** `x` where `x >= 0`, else `weight x`, with one slope that is learnt or one for each channel. */
export class PReLU extends Module {
  readonly numParameters: number;
  readonly initial: number;
  /** `[numParameters]` */
  weight: Parameter;

  constructor(numParameters = 1, options: { init?: number } = {}) {
    super();
    checkSize('PReLU', 'numParameters', numParameters);
    this.numParameters = numParameters;
    this.initial = options.init ?? 0.25;
    this.weight = new Parameter(Tensor.zeros('float32', [numParameters]), { layout: channelLayout() });
    this.resetParameters();
  }

  /** The slopes as they start. */
  resetParameters(): void {
    init.constant_(this.weight, this.initial);
  }

  override extraRepr(): string {
    return `num_parameters=${this.numParameters}`;
  }

  override forward(x: Variable): Variable {
    return F.prelu(x, this.weight);
  }
}

/** `x` where `x >= 0`, else `alpha (exp(x) - 1)`; 1 by default. */
export class ELU extends Module {
  readonly alpha: number;

  constructor(alpha = 1) {
    super();
    this.alpha = alpha;
  }

  override extraRepr(): string {
    return `alpha=${pyFloat(this.alpha)}`;
  }

  override forward(x: Variable): Variable {
    return F.elu(x, this.alpha);
  }
}

/** `1 / (1 + exp(-x))`. */
export class Sigmoid extends Module {
  override forward(x: Variable): Variable {
    return F.sigmoid(x);
  }
}

/** Hyperbolic tangent. */
export class Tanh extends Module {
  override forward(x: Variable): Variable {
    return F.tanh(x);
  }
}

/** `x tanh(log(1 + exp(x)))`. */
export class Mish extends Module {
  override forward(x: Variable): Variable {
    return F.mish(x);
  }
}

/** `log(1 + exp(beta x)) / beta`; 1 by default. PyTorch's threshold, from which on it is x, is where float32 makes it x anyway. */
export class Softplus extends Module {
  readonly beta: number;

  constructor(beta = 1) {
    super();
    this.beta = beta;
  }

  override extraRepr(): string {
    return `beta=${pyFloat(this.beta)}, threshold=20.0`;
  }

  override forward(x: Variable): Variable {
    return F.softplus(x, this.beta);
  }
}

/** `exp(x)` divided by its sum along an axis. */
export class Softmax extends Module {
  readonly dim: number;

  constructor(dim: number) {
    super();
    this.dim = dim;
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }

  override forward(x: Variable): Variable {
    return F.softmax(x, this.dim);
  }
}

/** Logarithm of `Softmax`. */
export class LogSoftmax extends Softmax {
  override forward(x: Variable): Variable {
    return F.logSoftmax(x, this.dim);
  }
}

/** What the dropouts share. */
abstract class DropoutBase extends Module {
  readonly p: number;
  readonly #generator: Generator | undefined;

  /** Throws ArgumentError where p is no probability. */
  constructor(p = 0.5, options: { generator?: Generator } = {}) {
    super();
    checkProbability(this.typeName, p);
    this.p = p;
    this.#generator = options.generator;
  }

  override extraRepr(): string {
    return `p=${this.p}, inplace=${pyBool(false)}`;
  }

  protected get options(): F.DropoutOptions {
    return { training: this.training, ...(this.#generator ? { generator: this.#generator } : {}) };
  }
}

/** Elements set to 0 with probability p (0.5 by default) in training, the others scaled by 1 / (1 - p); the identity in evaluation. */
export class Dropout extends DropoutBase {
  override forward(x: Variable): Variable {
    return F.dropout(x, this.p, this.options);
  }
}

/** As `Dropout`, but whole channels at a time. */
export class Dropout2d extends DropoutBase {
  override forward(x: Variable): Variable {
    return F.dropout2d(x, this.p, this.options);
  }
}
