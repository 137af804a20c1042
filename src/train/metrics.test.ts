import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { Averages, accuracy, metricsOf, topK } from './metrics.ts';

const output = new Tensor('float32', [3, 3], Float32Array.of(0.1, 0.9, 0, 0.5, 0.5, 0.2, Number.NaN, 0, 1));

describe('accuracy', () => {
  it('counts samples whose class is the largest; ties go to the first, NaN to none', () => {
    expect(accuracy(output, Tensor.int64([1, 0, 0]))).toEqual({ sum: 2, count: 3 });
    expect(accuracy(output, Tensor.int64([1, 1, 2]))).toEqual({ sum: 2, count: 3 });
    expect(topK(2)(output, Tensor.int64([0, 1, 1]))).toEqual({ sum: 3, count: 3 });
  });

  it('takes the likeliest class where targets are probabilities', () => {
    const soft = new Tensor('float32', [3, 3], Float32Array.of(0.4, 0.6, 0, 0.2, 0.7, 0.1, 0.3, 0.3, 0.4));
    expect(accuracy(output, soft)).toEqual({ sum: 2, count: 3 });
    expect(topK(2)(output, soft)).toEqual({ sum: 3, count: 3 });
  });

  it('refuses shapes that do not fit', () => {
    expect(() => accuracy(output, Tensor.int64([1, 0]))).toThrow(
      "accuracy: expects an output [N, classes] and a target [N], or probabilities as the output's shape, got float32[3, 3] and int64[2]",
    );
  });
});

describe('metricsOf', () => {
  it('finds metrics by name, and says which there are', () => {
    expect(Object.keys(metricsOf(['accuracy', 'top5']))).toEqual(['accuracy', 'top5']);
    expect(() => metricsOf(['f1'])).toThrow("metric 'f1' is not known; expected accuracy, top5");
  });
});

describe('Averages', () => {
  it('weighs batches by their samples, and goes on from what was saved', () => {
    const first = new Averages();
    first.add('loss', { sum: 6, count: 3 });
    const second = new Averages(JSON.parse(JSON.stringify(first)) as ReturnType<Averages['toJSON']>);
    second.add('loss', { sum: 4, count: 1 });
    expect(second.means).toEqual({ loss: 2.5 });
  });
});
