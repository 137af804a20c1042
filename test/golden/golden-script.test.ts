import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runGolden } from '../../scripts/golden/run-golden.mjs';
import { runNode } from '../../scripts/tools.mjs';
import * as secateur from '../../src/index.ts';

const FOLDER = fileURLToPath(new URL('../../../shared/golden/pytorch', import.meta.url));
const SCRIPT = fileURLToPath(new URL('../../scripts/golden.mjs', import.meta.url));

describe('npm run golden', () => {
  it('exits with 2 where no folder is named, or the folder is none of its kind', () => {
    const none = runNode([SCRIPT]);
    expect(none.status).toBe(2);
    expect(none.output).toContain('Usage: npm run golden -- FOLDER');
    const empty = runNode([SCRIPT, tmpdir()]);
    expect(empty.status).toBe(2);
    expect(empty.output).toContain('there is no cases.json');
  });
});

/** Why: `shared/golden` lies beside the checkout, and not everywhere. */
describe.skipIf(!existsSync(FOLDER))('the runner (skipped where ../shared/golden is absent)', () => {
  it('finds what is wrong, and names the case', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'secateur-golden-'));
    try {
      cpSync(join(FOLDER, 'tensors.safetensors'), join(folder, 'tensors.safetensors'));
      const { cases }: { cases: Record<string, unknown>[] } = JSON.parse(
        readFileSync(join(FOLDER, 'cases.json'), 'utf8'),
      );
      const first = (kind: string): Record<string, unknown> =>
        structuredClone(cases.find((golden) => golden.kind === kind)) ?? {};
      const wrong = [
        { ...first('rand'), seed: 5 },
        { ...first('mask_error'), message: 'amount=5 should be smaller than 3' },
        { ...first('mask'), mask: 'not there' },
        { ...first('iterated'), hook_class: 'Identity' },
        { ...first('init'), seed: 5 },
        { ...first('recipe_custom'), buffers: [] },
        { kind: 'something new' },
      ];
      writeFileSync(join(folder, 'cases.json'), JSON.stringify({ cases: [...wrong, first('randn')] }));
      const { passed, failures } = await runGolden(secateur, folder);
      expect(passed).toBe(1);
      expect(failures.map(({ kind, index }) => [kind, index])).toEqual(
        wrong.map(({ kind }, index) => [kind, index]),
      );
      expect(failures[0]!.problem).toMatch(/element 0: expected .*, got /);
      expect(failures[0]!.label).toContain('seed=5');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
