import { describe, expect, it } from 'vitest';
import { firstDifference } from './first-difference.ts';

describe('firstDifference', () => {
  it('names the first setting that differs, with both values', () => {
    expect(firstDifference({ rounds: 2, seed: 0 }, { rounds: 3, seed: 1 })).toEqual({
      name: 'rounds',
      before: '2',
      now: '3',
    });
    expect(firstDifference({ target: { macs: 1 } }, { target: { macs: 1 }, freeze: ['a'] })).toEqual({
      name: 'freeze',
      before: 'null',
      now: '["a"]',
    });
  });

  it('takes what is left out, undefined and null as one', () => {
    expect(firstDifference({ seed: null, size: 320 }, { size: 320, hyp: undefined })).toBeNull();
  });
});
