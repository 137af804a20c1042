import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runGolden } from '../../scripts/golden/run-golden.mjs';
import * as secateur from '../../src/index.ts';

const FOLDER = fileURLToPath(new URL('../../../shared/golden/pytorch', import.meta.url));

/** Why: `shared/golden` lies beside the checkout, and not everywhere. */
describe.skipIf(!existsSync(FOLDER))('results of PyTorch (skipped where ../shared/golden is absent)', () => {
  it('gives the masks, random numbers, initial weights, outputs, gradients and training of every case', async () => {
    const { passed, failures } = await runGolden(secateur, FOLDER);
    expect(failures).toEqual([]);
    expect(passed).toBeGreaterThan(790);
  });
});
