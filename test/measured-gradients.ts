import { expect } from 'vitest';
import type { Tensor } from '../src/core/tensor.ts';
import type { Graph } from '../src/ir/index.ts';
import { checkGradients } from './gradient-check.ts';

/** Expects that gradients of output `y0` after these inputs agree with central differences, to 0.5% of the terms they are summed from; gives how many were compared. */
export async function expectMeasured(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  withRespectTo: readonly string[] = Object.keys(feeds).filter((name) => feeds[name]!.dtype === 'float32'),
): Promise<number> {
  const checks = await checkGradients(graph, { of: 'y0', withRespectTo, feeds });
  for (const { name, computed, measured, scale } of checks) {
    const where = `${graph.nodes[0]?.opType} by ${name}: ${computed}, measured ${measured}`;
    expect(Math.abs(computed - measured), where).toBeLessThan(5e-3 * (scale + 0.1));
  }
  return checks.length;
}

/** Numbers between -1 and 1 without a pattern, the same each time: float32 of that shape. */
export const wave = (size: number, seed = 1): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => Math.sin(seed + 12.9898 * (i + 1) ** 1.3));
