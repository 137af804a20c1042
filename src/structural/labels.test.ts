import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StructuralError } from '../core/errors.ts';
import { Labels } from './labels.ts';

describe('Labels', () => {
  it('numbers labels without gaps, also beyond its first memory', () => {
    const labels = new Labels();
    expect([...labels.fresh(3)]).toEqual([0, 1, 2]);
    const many = labels.fresh(5000);
    expect(many[0]).toBe(3);
    expect(many.at(-1)).toBe(5002);
    expect(labels.find(5002)).toBe(5002);
    expect(labels.count).toBe(5003);
  });

  it('ties as an equivalence does, whatever the order', () => {
    const pairs = fc.array(fc.tuple(fc.nat(19), fc.nat(19)), { maxLength: 30 });
    fc.assert(
      fc.property(pairs, (ties) => {
        const labels = new Labels();
        labels.fresh(20);
        const set = Array.from({ length: 20 }, (_, index) => index);
        for (const [a, b] of ties) {
          labels.union(a, b);
          const [x, y] = [set[a]!, set[b]!];
          set.forEach((own, index) => {
            if (own === y) set[index] = x;
          });
        }
        for (let a = 0; a < 20; a++)
          for (let b = 0; b < 20; b++) expect(labels.find(a) === labels.find(b)).toBe(set[a] === set[b]);
      }),
    );
  });

  it('keeps the first reason of a set that must stay, also when sets are tied later', () => {
    const labels = new Labels();
    const [a, b] = [labels.fresh(2), labels.fresh(2)];
    labels.freeze(b, 'first');
    labels.tie(a, b, 'here');
    labels.freeze(a, 'second');
    expect([...a, ...b].map((label) => labels.frozen(label))).toEqual(['first', 'first', 'first', 'first']);
    const [c, d] = [labels.fresh(1), labels.fresh(1)];
    labels.freeze(c, 'one');
    labels.freeze(d, 'two');
    labels.tie(d, c, 'here');
    expect(labels.frozen(d[0]!)).toBe('one');
    expect(labels.frozen(labels.fresh(1)[0]!)).toBeNull();
  });

  it('says where a rule ties vectors of different lengths', () => {
    const labels = new Labels();
    expect(() => labels.tie(labels.fresh(2), labels.fresh(3), "Add '/add'")).toThrow(
      new StructuralError("Add '/add': ties 2 channels with 3"),
    );
  });

  it('gives one rectangle for an array and a length of row, and columns when they are asked for', () => {
    const labels = new Labels();
    const elements = labels.fresh(6);
    const rectangle = labels.rectangle(elements, 3);
    expect(labels.rectangle(elements, 3)).toBe(rectangle);
    expect(labels.rectangle(elements, 2)).not.toBe(rectangle);
    expect(rectangle.rows).toHaveLength(2);
    expect(rectangle.columns).toBeNull();
    const columns = labels.columns(elements, 3);
    expect(columns).toHaveLength(3);
    expect(labels.columns(elements, 3)).toBe(columns);
    expect(labels.rectangles).toHaveLength(2);
  });
});
