import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Generator } from '../src/core/random.ts';
import { profileGraph } from '../src/profile/index.ts';
import {
  analyzeChannels,
  assertVerified,
  type ChannelGroups,
  costOf,
  cutChannels,
  groupChannels,
  verify,
} from '../src/structural/index.ts';
import { randomUnits } from './random-cut.ts';
import { networkOf, steps } from './random-networks.ts';

/** Seeds of fast-check: each makes fifty networks. */
const SEEDS = [20261124, 7];

describe('networks made at random', () => {
  for (const heads of ['width', 'whole'] as const) {
    for (const seed of SEEDS) {
      it(`equal their silenced selves when cut at random (heads: ${heads}, seed ${seed})`, async () => {
        let cuts = 0;
        const property = fc.asyncProperty(
          steps,
          fc.nat(10_000),
          fc.double({ min: 0.1, max: 0.9, noNaN: true }),
          async (list, weights, ratio) => {
            const groups = groupChannels(analyzeChannels(networkOf(list, weights)), { heads });
            const removed = randomUnits(groups, new Generator(weights), ratio);
            if (!removed.includes(1)) return;
            cuts++;
            await checkCut(groups, removed);
          },
        );
        await fc.assert(property, { seed, numRuns: 50 });
        expect(cuts).toBeGreaterThan(45);
      });
    }
  }
});

async function checkCut(groups: ChannelGroups, removed: Uint8Array): Promise<void> {
  const before = costOf(groups, new Uint8Array(groups.unitCount));
  const counted = costOf(groups, removed);
  const { graph } = cutChannels(groups, removed);
  const { totals } = profileGraph(graph);
  expect(totals.macs).toBe(counted.macs);
  expect(counted.parameters).toBeLessThan(before.parameters);
  graph.lint();
  const verification = await verify(groups, removed, graph, { threads: 1 });
  expect(verification.outputs).toHaveLength(1);
  assertVerified(verification);
}
