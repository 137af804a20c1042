import { describe, expect, it } from 'vitest';
import {
  parseBlocks,
  parseCountTarget,
  parseLatencyTarget,
  parseNamedRatio,
  parseSizeTarget,
} from './shrink-parse.ts';

describe('what is to stay', () => {
  it('is a share with a percent sign, or a number with a unit', () => {
    expect(parseCountTarget('50%')).toEqual({ share: 0.5 });
    expect(parseCountTarget('3M')).toEqual({ value: 3e6 });
    expect(parseCountTarget('2.26g')).toEqual({ value: 2.26e9 });
    expect(parseCountTarget('7000000')).toEqual({ value: 7e6 });
    expect(parseCountTarget('1.5e3')).toEqual({ value: 1500 });
    expect(parseSizeTarget('60 %')).toEqual({ share: 0.6 });
    expect(parseSizeTarget('4MB')).toEqual({ value: 4e6 });
    expect(parseLatencyTarget('20ms')).toEqual({ value: 20 });
    expect(parseLatencyTarget('1.5 s')).toEqual({ value: 1500 });
    expect(parseLatencyTarget('800us')).toEqual({ value: 0.8 });
    expect(parseLatencyTarget('12.5%')).toEqual({ share: 0.125 });
  });

  it('is neither nothing nor all, and no fraction of one thing', () => {
    for (const text of ['0%', '100%', '120%']) {
      expect(() => parseCountTarget(text)).toThrow('expected a share between 0 % and 100 %, such as 50%');
      expect(() => parseSizeTarget(text)).toThrow('expected a share between');
      expect(() => parseLatencyTarget(text)).toThrow('expected a share between');
    }
    for (const text of ['0.4', '0.5', '-3', '', 'M', '3X', 'half'])
      expect(() => parseCountTarget(text)).toThrow('a share such as 50%, or a number such as 3M or 2.26G');
  });

  it('is a time with its unit', () => {
    for (const text of ['20', '0ms', 'ms', '20 minutes'])
      expect(() => parseLatencyTarget(text)).toThrow('expected a time with its unit such as 20ms');
  });
});

describe('ratios of names', () => {
  it('are parted at the last equals sign and collected', () => {
    const first = parseNamedRatio('model.2.*=0.3');
    expect(parseNamedRatio('a=b=25%', first)).toEqual([
      { pattern: 'model.2.*', ratio: 0.3 },
      { pattern: 'a=b', ratio: 0.25 },
    ]);
  });

  it('have a pattern and a share', () => {
    expect(() => parseNamedRatio('0.3')).toThrow("expected PATTERN=SHARE such as 'model.2.*=0.3'");
    expect(() => parseNamedRatio('=0.3')).toThrow('expected PATTERN=SHARE');
    expect(() => parseNamedRatio('fc=3')).toThrow('expected a share between 0 and 1');
  });
});

describe('blocks to remove', () => {
  it('are a number or a share', () => {
    expect(parseBlocks('2')).toEqual({ count: 2 });
    expect(parseBlocks('0.25')).toEqual({ share: 0.25 });
    expect(parseBlocks('25%')).toEqual({ share: 0.25 });
    for (const text of ['0', '-1', '', 'two', '0.0', '0%'])
      expect(() => parseBlocks(text)).toThrow('expected a number of blocks such as 2');
    expect(() => parseBlocks('1.5')).toThrow('expected a share between 0 and 1');
  });
});
