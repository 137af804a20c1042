import { dtypeInfo } from '../core/dtype.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import type { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import type { Dataset, Sample } from './dataset.ts';

/** Options of `mixup`. */
export interface MixupOptions {
  /** Shares are drawn of Beta(α, α), with α in (0, 1]: the smaller, the more of one of the two. Default 1, where all shares are as likely. */
  readonly alpha?: number;
  /** Number of classes; by default that of the data set's names. */
  readonly classes?: number;
}

/** Each sample of a data set with another one over it. */
class MixupDataset implements Dataset {
  readonly dataset: Dataset;
  readonly length: number;
  readonly #alpha: number;
  readonly #classes: number;
  declare readonly classes?: readonly string[];

  constructor(dataset: Dataset, options: MixupOptions) {
    const { alpha = 1, classes = dataset.classes?.length } = options;
    if (!(alpha > 0 && alpha <= 1)) throw new ArgumentError(`mixup: alpha must be in (0, 1], got ${alpha}`);
    if (classes === undefined)
      throw new ArgumentError('mixup: the data set has no names of classes; give { classes: n }');
    if (!(Number.isSafeInteger(classes) && classes > 0))
      throw new ArgumentError(`mixup: classes must be a whole number above 0, got ${classes}`);
    this.dataset = dataset;
    this.length = dataset.length;
    this.#alpha = alpha;
    this.#classes = classes;
    if (dataset.classes !== undefined) this.classes = dataset.classes;
  }

  async get(index: number, random: Generator): Promise<Sample> {
    const first = await this.dataset.get(index, random);
    const [place = 0] = random.rand(1);
    const share = drawShare(random, this.#alpha);
    const second = await this.dataset.get(Math.floor(place * this.length), random);
    return {
      input: blend('input', first.input, second.input, share),
      target: blend('target', this.#probabilities(first.target), this.#probabilities(second.target), share),
    };
  }

  /** float32[classes] out of a label; probabilities stay. */
  #probabilities(target: Tensor): Tensor {
    if (dtypeInfo(target.dtype).kind === 'float') return target;
    const [label = -1] = target.size === 1 ? target.toNumbers() : [];
    if (!(label >= 0 && label < this.#classes)) {
      throw new ArgumentError(
        `mixup: expected a label of 0 to ${this.#classes - 1}, got ${target.size === 1 ? label : target}`,
      );
    }
    const probabilities = Tensor.zeros('float32', [this.#classes]);
    probabilities.float32[label] = 1;
    return probabilities;
  }
}

/** A share of Beta(α, α), α in (0, 1], by Jöhnk's method (1964): x / (x + y) of powers x, y of uniform numbers, where they sum up to no more than 1. */
function drawShare(random: Generator, alpha: number): number {
  if (alpha === 1) return random.rand(1)[0]!;
  for (;;) {
    const [u = 0, v = 0] = random.rand(2);
    const [x, y] = [u ** (1 / alpha), v ** (1 / alpha)];
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}

function blend(what: string, a: Tensor, b: Tensor, share: number): Tensor {
  if (a.dtype !== 'float32' || b.dtype !== 'float32') {
    throw new ArgumentError(`mixup: the ${what} must be float32, got ${a} and ${b}; convert it with toFloat`);
  }
  if (a.shape.join() !== b.shape.join()) {
    throw new ShapeError(`mixup: expected each ${what} of one shape, got ${a} and ${b}; resize them before`);
  }
  const out = new Float32Array(a.size);
  const [first, second] = [a.float32, b.float32];
  for (let at = 0; at < out.length; at++) out[at] = share * first[at]! + (1 - share) * second[at]!;
  return new Tensor('float32', a.shape, out);
}

/**
 * A data set in which each sample has another one, drawn at random, over it: `λ a + (1 - λ) b`, inputs and probabilities of classes alike (Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization"; torchvision's
 * `v2.MixUp`, which draws one λ for a batch). Targets, labels or probabilities, become float32[classes], as `crossEntropy` takes them. Images of little data last longer that way, above all where a teacher says what the blends are
 * (Beyer et al. 2022, "Knowledge distillation: A good teacher is patient and consistent"). Random changes of single images go before: `mixup(withTransform(train, randomHorizontalFlip()))`.
 *
 * Throws ArgumentError where `alpha` or `classes` is not as described, and, as samples are got, where a label is no class or inputs are not float32; ShapeError where two samples differ in shape.
 */
export const mixup = (dataset: Dataset, options: MixupOptions = {}): Dataset =>
  new MixupDataset(dataset, options);
