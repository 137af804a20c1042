import { ArgumentError } from '../../core/errors.ts';
import type { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import { linearLayout } from '../../ops/index.ts';
import * as F from '../functional/index.ts';
import * as init from '../init.ts';
import { Module } from '../module.ts';
import { Parameter } from '../parameter.ts';
import type { Variable } from '../variable.ts';
import { checkSize, Linear } from './linear.ts';

/** Options of `MultiheadAttention`. */
export interface MultiheadAttentionOptions {
  /** With biases; default true. */
  readonly bias?: boolean;
  /** Probability of dropping an attention weight in training; default 0. */
  readonly dropout?: number;
  /** Inputs are `[N, L, E]`; by default `[L, N, E]`. */
  readonly batchFirst?: boolean;
  /** Draws the initial weights; the default generator by default. */
  readonly generator?: Generator;
}

/** PyTorch's name of the projection behind the heads. */
class NonDynamicallyQuantizableLinear extends Linear {}

/**
 * Attention with several heads: `call(query, key, value)` gives `[output, weights]`, the weights `[N, L, S]` averaged over the heads. A fourth variable is added
 * to the scores as a mask.
 */
export class MultiheadAttention extends Module<readonly [Variable, Variable]> {
  readonly embedDim: number;
  readonly numHeads: number;
  readonly headDim: number;
  readonly dropout: number;
  readonly batchFirst: boolean;
  readonly #generator: Generator | undefined;

  /** Throws ArgumentError where the heads do not divide the embedding. */
  constructor(embedDim: number, numHeads: number, options: MultiheadAttentionOptions = {}) {
    super();
    checkSize('MultiheadAttention', 'embedDim', embedDim);
    checkSize('MultiheadAttention', 'numHeads', numHeads);
    if (embedDim % numHeads !== 0) {
      throw new ArgumentError(
        `MultiheadAttention: embedDim must be divisible by numHeads, got ${embedDim} and ${numHeads}`,
      );
    }
    const bias = options.bias ?? true;
    this.embedDim = embedDim;
    this.numHeads = numHeads;
    this.headDim = embedDim / numHeads;
    this.dropout = options.dropout ?? 0;
    this.batchFirst = options.batchFirst ?? false;
    this.#generator = options.generator;
    const drawn = options.generator ? { generator: options.generator } : {};
    this.registerParameter(
      'in_proj_weight',
      new Parameter(Tensor.zeros('float32', [3 * embedDim, embedDim]), { layout: linearLayout() }),
    );
    this.registerParameter(
      'in_proj_bias',
      bias ? new Parameter(Tensor.zeros('float32', [3 * embedDim])) : null,
    );
    const outProj = new NonDynamicallyQuantizableLinear(embedDim, embedDim, { bias, ...drawn });
    this.registerModule('out_proj', outProj);
    init.xavierUniform_(this.inProjWeight, 1, options.generator);
    if (outProj.bias) init.zeros_(outProj.bias);
  }

  /** `[3 embedDim, embedDim]`: query, key and value projections. */
  get inProjWeight(): Parameter {
    return this.getParameter('in_proj_weight');
  }

  /** `[3 embedDim]` */
  get inProjBias(): Parameter | null {
    return this.hasParameter('in_proj_bias') ? this.getParameter('in_proj_bias') : null;
  }

  /** The projection behind the heads. */
  get outProj(): Linear {
    const module = this.getSubmodule('out_proj');
    if (module instanceof Linear) return module;
    throw new ArgumentError(`MultiheadAttention: out_proj is a ${module.typeName}; expected a Linear`);
  }

  override forward(
    query: Variable,
    key: Variable = query,
    value: Variable = key,
    mask?: Variable,
  ): readonly [Variable, Variable] {
    const batchFirst = (x: Variable): Variable => (this.batchFirst ? x : x.transpose(0, 1));
    const projected = this.#project(query, key, value);
    const [q, k, v] = projected.map((x) => this.#heads(batchFirst(x))) as [Variable, Variable, Variable];
    const scale = 1 / Math.sqrt(this.headDim);
    // [N, heads, L, S]
    const scores = q.mul(scale).matmul(k.transpose(-2, -1));
    const weights = F.dropout((mask ? scores.add(mask) : scores).softmax(-1), this.dropout, {
      training: this.training,
      ...(this.#generator ? { generator: this.#generator } : {}),
    });
    const mixed = weights.matmul(v).transpose(1, 2);
    const joined = mixed.view([mixed.shape[0]!, mixed.shape[1]!, this.embedDim]);
    const output = this.outProj.call(batchFirst(joined));
    return [output, weights.mean(1)];
  }

  /** Query, key and value through their parts of in_proj; in one product where they are one input. */
  #project(query: Variable, key: Variable, value: Variable): Variable[] {
    const { tracer } = query;
    const bias = this.inProjBias;
    if (query === key && key === value) {
      return F.linear(query, this.inProjWeight, bias).chunk(3, -1);
    }
    const weights = tracer.tensor(this.inProjWeight).chunk(3, 0);
    const biases = bias ? tracer.tensor(bias).chunk(3, 0) : null;
    return [query, key, value].map((x, i) => F.linear(x, weights[i]!, biases ? biases[i]! : null));
  }

  /** `[N, L, E]` to `[N, heads, L, E / heads]`. */
  #heads(x: Variable): Variable {
    return x.view([x.shape[0]!, x.shape[1]!, this.numHeads, this.headDim]).transpose(1, 2);
  }
}
