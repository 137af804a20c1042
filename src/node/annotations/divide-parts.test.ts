import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../core/errors.ts';
import { checkShares, divideParts } from './divide-parts.ts';
import type { FoundAnnotation } from './find-annotations.ts';
import { partOfName, partOfPath } from './part-names.ts';

const found = (stem: string, part: FoundAnnotation['part'] = null): FoundAnnotation => ({
  stem,
  part,
  fileName: `${stem}.jpg`,
  source: `${stem}.xml`,
  size: null,
  objects: [],
});

const stems = (images: ReturnType<typeof divideParts>): Record<string, string[]> => {
  const parts: Record<string, string[]> = {};
  for (const { annotation, part } of images) {
    parts[part] ??= [];
    parts[part].push(annotation.stem);
  }
  for (const list of Object.values(parts)) list.sort();
  return parts;
};

const some = (count: number): FoundAnnotation[] =>
  Array.from({ length: count }, (_, i) => found(`i${100 + i}`));

describe('partOfName', () => {
  it.each([
    ['instances_train2017.json', 'train'],
    ['valid', 'val'],
    ['Validation-set', 'val'],
    ['test', 'test'],
    ['trainval', null],
    ['train_val', null],
    ['Annotations', null],
    ['constructor', null],
  ])('%s: %s', (name, part) => {
    expect(partOfName(name)).toBe(part);
  });

  it('asks the last folder first', () => {
    expect(partOfPath(['train', 'images', 'val', 'x'])).toBe('val');
    expect(partOfPath([])).toBeNull();
  });
});

describe('divideParts', () => {
  it('draws shares by the seed, in whatever order images come', () => {
    const images = some(20);
    const drawn = stems(divideParts(images, { valShare: 0.2, testShare: 0.1, seed: 3 }));
    expect([drawn.train!.length, drawn.val!.length, drawn.test!.length]).toEqual([14, 4, 2]);
    expect(new Set([...drawn.train!, ...drawn.val!, ...drawn.test!]).size).toBe(20);
    const again = stems(divideParts(images.toReversed(), { valShare: 0.2, testShare: 0.1, seed: 3 }));
    expect(again).toEqual(drawn);
    expect(stems(divideParts(images, { valShare: 0.2, testShare: 0.1, seed: 4 }))).not.toEqual(drawn);
  });

  it('has one image to validate with where a share is less than one, and none of a single image', () => {
    expect(stems(divideParts(some(3), { valShare: 0.01 })).val).toHaveLength(1);
    expect(stems(divideParts(some(1), {}))).toEqual({ train: ['i100'] });
    expect(stems(divideParts(some(3), { valShare: 0 })).val).toBeUndefined();
  });

  it('keeps the parts that are known, and takes from the training images where none validate', () => {
    const known = [found('a', 'train'), found('b', 'val'), found('c', 'unlisted')];
    expect(stems(divideParts(known, {}))).toEqual({ train: ['a'], val: ['b'] });
    const training = some(10).map((image): FoundAnnotation => ({ ...image, part: 'train' }));
    const drawn = stems(divideParts([...training, found('t', 'test')], { valShare: 0.3 }));
    expect([drawn.train!.length, drawn.val!.length, drawn.test]).toEqual([7, 3, ['t']]);
    expect(stems(divideParts(training, { valShare: 0 }))).toEqual({
      train: training.map(({ stem }) => stem),
    });
  });

  it('follows lists first', () => {
    const folder = mkdtempSync(join(tmpdir(), 'secateur-lists-'));
    try {
      const list = (name: string, text: string): string => {
        writeFileSync(join(folder, name), text);
        return join(folder, name);
      };
      const lists = { train: list('a.txt', './images/a.jpg\r\n\nb'), val: list('b.txt', 'C:\\x\\c.PNG\n') };
      const images = [found('a', 'val'), found('b'), found('c', 'train'), found('d', 'train')];
      expect(stems(divideParts(images, { lists }))).toEqual({ train: ['a', 'b'], val: ['c'] });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    [{ valShare: 1 }, 'convertLabels: valShare expects a share from 0 to below 1, got 1'],
    [{ testShare: -0.1 }, 'convertLabels: testShare expects a share from 0 to below 1, got -0.1'],
    [
      { valShare: 0.5, testShare: 0.5 },
      'convertLabels: valShare 0.5 and testShare 0.5 leave nothing to train with',
    ],
  ])('refuses %j', (options, message) => {
    expect(() => checkShares(options)).toThrow(new ArgumentError(message));
  });
});
