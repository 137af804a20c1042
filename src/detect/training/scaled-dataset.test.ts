import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../core/errors.ts';
import { type DetectionDataset, type DetectionSample, detectionDataset } from '../dataset.ts';
import { cachedInMemory, isScaled, pixelBytes, scaledDataset } from './scaled-dataset.ts';
import { apart, painted, whiteBox } from './testdata/painted.ts';

const two = detectionDataset(
  [painted(100, 200, [40, 20, 120, 90], 1), painted(30, 20, [2, 6, 14, 20])],
  ['a', 'b'],
);

describe('scaledDataset', () => {
  it('scales images by their longer side, smaller ones too, and boxes with them', async () => {
    const scaled = scaledDataset(two, { longest: 60 });
    expect(scaled.sizes).toEqual([
      { height: 30, width: 60 },
      { height: 60, width: 40 },
    ]);
    expect([pixelBytes(scaled), scaled.names, scaled.length]).toEqual([(30 + 40) * 60 * 3, ['a', 'b'], 2]);
    for (const index of [0, 1]) {
      const { image, labels } = (await scaled.get(index))!;
      const { height, width } = scaled.sizes[index]!;
      expect(image.shape).toEqual([height, width, 3]);
      expect(apart(labels[0]!.box, whiteBox(image)!)).toBeLessThanOrEqual(1);
    }
    expect((await scaled.get(0))!.labels).toEqual([{ label: 1, box: [12, 6, 36, 27] }]);
    expect([isScaled(two), isScaled(scaled)]).toEqual([false, true]);
    expect(() => scaledDataset(two, { longest: 0.5 })).toThrow(
      new ArgumentError('scaledDataset: longest expects a whole number of at least 1, got 0.5'),
    );
  });

  it('decodes at most eight images at a time, and all in the end', async () => {
    let [running, most, done] = [0, 0, 0];
    const slow: DetectionDataset = {
      ...two,
      get: async (index) => {
        most = Math.max(most, ++running);
        await Promise.resolve();
        running--;
        done++;
        if (index === 3) throw new Error('damaged');
        return two.get(index % 2);
      },
    };
    const scaled = scaledDataset(slow, { longest: 8 });
    const all = await Promise.allSettled(Array.from({ length: 30 }, async (_, index) => scaled.get(index)));
    expect([most, done, running]).toEqual([8, 30, 0]);
    expect(all.map(({ status }) => status === 'rejected').indexOf(true)).toBe(3);
  });
});

describe('cachedInMemory', () => {
  it('asks for each image once, broken ones too, and again after an error', async () => {
    const asked: number[] = [];
    const source: DetectionDataset = {
      ...two,
      get: async (index): Promise<DetectionSample | null> => {
        asked.push(index);
        if (index === 1) return null;
        if (asked.length === 1) throw new Error('busy');
        return two.get(index);
      },
    };
    const cached = cachedInMemory(scaledDataset(source, { longest: 10, shrinking: 'area' }));
    expect([cached.longest, cached.shrinking, cached.isCached]).toEqual([10, 'area', true]);
    await expect(cached.get(0)).rejects.toThrow('busy');
    const [one, same] = await Promise.all([cached.get(0), cached.get(0)]);
    expect(same).toBe(one);
    expect([await cached.get(1), await cached.get(1)]).toEqual([null, null]);
    expect(asked).toEqual([0, 0, 1]);
  });
});
