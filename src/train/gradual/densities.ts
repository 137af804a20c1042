import type { Parameter } from '../../nn/index.ts';

/**
 * How sparsity is spread over layers (Mocanu et al. 2018, Evci et al. 2020): `uniform`, the same for all; `erdos-renyi`, with density in proportion to `(in + out) / (in out)`; `erdos-renyi-kernel`,
 * with the sizes of kernels too, `(in + out + kw + kh) / (in out kw kh)`. The latter two give small layers more.
 */
export type SparsityDistribution = 'uniform' | 'erdos-renyi' | 'erdos-renyi-kernel';

/** Names of the distributions. */
export const sparsityDistributions: readonly SparsityDistribution[] = [
  'uniform',
  'erdos-renyi',
  'erdos-renyi-kernel',
];

/** Density of a weight up to a factor that all share. */
function share({ shape, layout, size }: Parameter, kernels: boolean): number {
  const sum = (sizes: readonly number[]): number => sizes.reduce((total, each) => total + each, 0);
  if (kernels || !layout || layout.input === null) return sum(shape) / size;
  const [output, input] = [shape[layout.output]!, shape[layout.input]!];
  return (input + output) / (input * output);
}

/**
 * Share of the entries that each weight keeps, so that all together have the sparsity, in (0, 1). With an Erdős–Rényi distribution weights that would get more than they have stay dense, and the others
 * get what is left.
 */
export function densitiesOf(
  weights: readonly Parameter[],
  sparsity: number,
  distribution: SparsityDistribution,
): number[] {
  if (distribution === 'uniform') return weights.map(() => 1 - sparsity);
  const shares = weights.map((weight) => share(weight, distribution === 'erdos-renyi-kernel'));
  const dense = new Set<number>();
  const total = weights.reduce((sum, { size }) => sum + size, 0);
  for (;;) {
    let budget = (1 - sparsity) * total;
    let shared = 0;
    weights.forEach(({ size }, index) => {
      if (dense.has(index)) budget -= size;
      else shared += shares[index]! * size;
    });
    const factor = budget / shared;
    const before = dense.size;
    // What these do not take makes the factor larger: none of them would fall below 1 again.
    shares.forEach((each, index) => {
      if (each * factor >= 1) dense.add(index);
    });
    if (dense.size === before) return shares.map((each, index) => (dense.has(index) ? 1 : each * factor));
  }
}
