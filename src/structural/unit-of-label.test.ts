import { describe, expect, it } from 'vitest';
import { networkOf } from '../../test/random-networks.ts';
import { analyzeChannels } from './analyze.ts';
import { groupChannels } from './group-channels.ts';
import { unitOfLabel } from './unit-of-label.ts';

describe('unitOfLabel', () => {
  it.each(['width', 'whole'] as const)(
    'gives the unit whose removal takes each label along (heads: %s)',
    (heads) => {
      const kinds = ['grouped', 'residual', 'shuffle', 'concat', 'packedAttention', 'conv'] as const;
      const list = kinds.map((kind, from) => ({ kind, from, other: 1, size: 3 }));
      const groups = groupChannels(analyzeChannels(networkOf(list, 5)), { heads });
      expect(groups.unitCount).toBeGreaterThan(20);
      const expected = new Int32Array(groups.coupling.labelCount).fill(-1);
      for (let unit = 0; unit < groups.unitCount; unit++) {
        const removed = new Uint8Array(groups.unitCount);
        removed[unit] = 1;
        groups.keptLabels(removed).forEach((stays, label) => {
          if (stays === 0) expected[label] = unit;
        });
      }
      expect([...unitOfLabel(groups)]).toEqual([...expected]);
      expect(expected.some((unit) => unit < 0)).toBe(true);
    },
  );
});
