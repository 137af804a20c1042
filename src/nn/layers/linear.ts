import { ArgumentError } from '../../core/errors.ts';
import type { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import { linearLayout } from '../../ops/index.ts';
import * as F from '../functional/index.ts';
import * as init from '../init.ts';
import { Module } from '../module.ts';
import { Parameter } from '../parameter.ts';
import { pyBool } from '../repr.ts';
import type { Variable } from '../variable.ts';

/** Throws ArgumentError where a size of a layer is no whole number of at least `least`. */
export function checkSize(layer: string, what: string, size: number, least = 1): void {
  if (Number.isInteger(size) && size >= least) return;
  throw new ArgumentError(`${layer}: ${what} expects a whole number of at least ${least}, got ${size}`);
}

/** PyTorch's initialization of weights and biases of convolutions and linear layers: both uniform in ±1/√fanIn. */
export function resetWeightAndBias(weight: Parameter, bias: Parameter | null, generator?: Generator): void {
  const drawn = generator ? { generator } : {};
  init.kaimingUniform_(weight, { a: Math.sqrt(5), ...drawn });
  if (!bias) return;
  const fanIn = init.fanInOf(weight);
  if (fanIn > 0) init.uniform_(bias, -1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn), generator);
}

/** Options of `Linear`. */
export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** Draws the initial weights; the default generator by default. */
  readonly generator?: Generator;
}

/** `y = x weightᵀ + bias`: `[..., inFeatures]` to `[..., outFeatures]`. */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** `[outFeatures, inFeatures]` */
  weight: Parameter;
  /** `[outFeatures]` */
  bias: Parameter | null;

  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    checkSize('Linear', 'inFeatures', inFeatures, 0);
    checkSize('Linear', 'outFeatures', outFeatures, 0);
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.weight = new Parameter(Tensor.zeros('float32', [outFeatures, inFeatures]), {
      layout: linearLayout(),
    });
    this.bias = (options.bias ?? true) ? new Parameter(Tensor.zeros('float32', [outFeatures])) : null;
    this.resetParameters(options.generator);
  }

  /** Draws weight and bias anew. */
  resetParameters(generator?: Generator): void {
    resetWeightAndBias(this.weight, this.bias, generator);
  }

  override extraRepr(): string {
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${pyBool(this.bias !== null)}`;
  }

  override forward(x: Variable): Variable {
    return F.linear(x, this.weight, this.bias);
  }
}

/** Options of `Embedding`. */
export interface EmbeddingOptions {
  /** A row that starts as zeros; negative counts from the end. */
  readonly paddingIdx?: number;
  readonly generator?: Generator;
}

/** Rows of a table: int64 indices of any shape to `[..., embeddingDim]`. */
export class Embedding extends Module {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly paddingIdx: number | null;
  /** `[numEmbeddings, embeddingDim]` */
  weight: Parameter;

  /** Throws ArgumentError for sizes that are no whole numbers, or a padding row outside the table. */
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingOptions = {}) {
    super();
    checkSize('Embedding', 'numEmbeddings', numEmbeddings, 0);
    checkSize('Embedding', 'embeddingDim', embeddingDim, 0);
    const { paddingIdx } = options;
    if (paddingIdx !== undefined && !(paddingIdx >= -numEmbeddings && paddingIdx < numEmbeddings)) {
      throw new ArgumentError(
        `Embedding: paddingIdx must be within the ${numEmbeddings} embeddings, got ${paddingIdx}`,
      );
    }
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIdx =
      paddingIdx === undefined ? null : paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    this.weight = new Parameter(Tensor.zeros('float32', [numEmbeddings, embeddingDim]));
    this.resetParameters(options.generator);
  }

  /** Draws the table anew. */
  resetParameters(generator?: Generator): void {
    init.normal_(this.weight, 0, 1, generator);
    if (this.paddingIdx === null) return;
    const start = this.paddingIdx * this.embeddingDim;
    this.weight.orig.float32.fill(0, start, start + this.embeddingDim);
    this.weight.refresh();
  }

  override extraRepr(): string {
    const padding = this.paddingIdx === null ? '' : `, padding_idx=${this.paddingIdx}`;
    return `${this.numEmbeddings}, ${this.embeddingDim}${padding}`;
  }

  override forward(indices: Variable): Variable {
    return F.embedding(indices, this.weight);
  }
}
