import { describe, expect, it } from 'vitest';
import {
  numberIn,
  parseAugment,
  parseBytes,
  parsePenalty,
  parseRewind,
  parseSeeds,
  parseShare,
  parseShares,
} from './training-parse.ts';

describe('options of training', () => {
  it('reads shares', () => {
    expect([
      parseShare('0.95'),
      parseShare('95%'),
      parseShare('.5 %'),
      parseShare('1'),
      parseShare('0'),
    ]).toEqual([0.95, 0.95, 0.005, 1, 0]);
    expect(parseShares('0.1,50%')).toEqual([0.1, 0.5]);
    for (const text of ['', '1.5', '150%', '-0.1', 'half', '0.1,']) {
      expect(() => parseShares(text), text).toThrow('between 0 and 1');
    }
  });

  it('reads numbers in a range', () => {
    expect(numberIn(0, 1)('0.5')).toBe(0.5);
    expect(numberIn(0)('1e-4')).toBe(1e-4);
    expect(() => numberIn(0, 1)('2')).toThrow('from 0 to 1');
    expect(() => numberIn(0)('-1')).toThrow('of at least 0');
    expect(() => numberIn(0)('')).toThrow('expected a number');
    expect(() => numberIn(0)('Infinity')).toThrow('expected a number');
  });

  it('reads sizes in powers of ten and of two', () => {
    expect(['40KB', '1.5 MB', '40000', '64KiB', '1b', '2gb'].map(parseBytes)).toEqual([
      40_000, 1_500_000, 40_000, 65_536, 1, 2e9,
    ]);
    for (const text of ['', 'KB', '-1KB', '40XB', '0', '1e3']) {
      expect(() => parseBytes(text), text).toThrow('expected a size');
    }
  });

  it('reads seeds, each once', () => {
    expect(parseSeeds('0,1, 2')).toEqual([0, 1, 2]);
    for (const text of ['', '0,,1', '1.5', '-1', 'a'])
      expect(() => parseSeeds(text), text).toThrow('whole numbers');
    expect(() => parseSeeds('1,2,1')).toThrow('twice');
  });

  it('reads where to rewind to', () => {
    expect(['init', 'epoch:1', 'step:500'].map(parseRewind)).toEqual(['init', { epoch: 1 }, { step: 500 }]);
    for (const text of ['', 'epoch', 'epoch:', 'step:1.5', 'batch:3']) {
      expect(() => parseRewind(text), text).toThrow('step:500');
    }
  });

  it('reads penalties and collects them', () => {
    const first = parsePenalty('l1:1e-4');
    expect(parsePenalty('group-lasso:0.5', first)).toEqual([
      { kind: 'l1', lambda: 1e-4 },
      { kind: 'group-lasso', lambda: 0.5 },
    ]);
    for (const text of ['l1', 'l1:', 'l1:-1', 'l1:0', 'l3:1', 'l1:x']) {
      expect(() => parsePenalty(text), text).toThrow('KIND:FACTOR');
    }
  });

  it('reads augmentations', () => {
    expect(parseAugment('crop, flip')).toEqual(['crop', 'flip']);
    expect(() => parseAugment('crop,spin')).toThrow(
      'expected crop, flip, mixup, or several with commas between',
    );
  });
});
