import { Tensor } from '../../core/tensor.ts';
import { weightHistogram } from '../histogram.ts';
import { maskMap } from '../mask-map.ts';
import type { RunReport } from '../report.ts';

/** A PNG of one grey pixel. */
export const PIXEL =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==';

/** A report with every kind of item and option, made up. */
export function sampleReport(): RunReport {
  const weights = Float32Array.from({ length: 600 }, (_, index) => Math.sin(index * 12.9898) * 0.1);
  const pruned = weights.map((value) => (Math.abs(value) < 0.05 ? 0 : value));
  const mask = pruned.map((value) => (value === 0 ? 0 : 1));
  const epochs = Array.from({ length: 30 }, (_, epoch) => epoch + 1);
  return {
    format: 'secateur-report/1',
    title: 'Sample: every kind of item',
    command: 'secateur lottery --model lenet5 --seed 7 \\\n  --rounds 5 --report report.html',
    created: '2026-03-01T12:00:00Z',
    seed: 7,
    versions: { secateur: '0.1.0', node: '20.20.2', onnxruntime: '1.30.0' },
    facts: [
      ['data', 'MNIST, 60,000 + 10,000'],
      ['method', 'L1 unstructured, global'],
      ['learning rate', 0.0012],
      ['parameters', 81194],
      ['best loss', null],
    ],
    sections: [
      {
        title: 'Accuracy',
        text: 'Weights are ranked by `|w|` over all layers.\n\nSpread is over five seeds.',
        items: [
          {
            kind: 'line',
            title: 'Accuracy by sparsity',
            caption: 'Test set.',
            x: { title: 'sparsity', format: 'percent' },
            y: { title: 'accuracy', format: 'percent' },
            series: [
              {
                name: 'magnitude',
                points: [0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97].map((x) => [x, 0.985 - 0.2 * x ** 12]),
                band: [0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97].map((x) => [
                  x,
                  0.983 - 0.24 * x ** 12,
                  0.987 - 0.17 * x ** 12,
                ]),
              },
              {
                name: 'random',
                points: [
                  [0, 0.985],
                  [0.2, 0.97],
                  [0.4, null],
                  [0.6, 0.91],
                  [0.8, 0.8],
                ],
              },
            ],
            rules: [{ y: 0.985, label: 'dense accuracy' }],
          },
          {
            kind: 'line',
            title: 'Training loss',
            width: 'half',
            x: { title: 'epoch', format: 'integer' },
            y: { title: 'loss', scale: 'log' },
            series: [{ name: 'loss', points: epochs.map((x) => [x, x === 30 ? 0 : 2 / x ** 2]) }],
            markers: [10, 20].map((x) => ({ x, label: 'pruned here' })),
          },
          {
            kind: 'bars',
            title: 'Weights of the layers',
            width: 'half',
            value: { title: 'weights', format: 'integer' },
            categories: ['conv1', 'conv2', 'fc1'],
            series: [
              { name: 'before', values: [54, 864, 69120] },
              { name: 'after', values: [40, 400, null] },
            ],
          },
          {
            kind: 'table',
            title: 'Rounds',
            columns: [
              { label: 'round', format: 'integer' },
              { label: 'what' },
              { label: 'accuracy', format: 'percent' },
              { label: 'latency', unit: 'ms', format: 'number' },
              { label: 'file', format: 'bytes' },
              { label: 'smaller', format: 'ratio', digits: 1 },
            ],
            rows: [
              [0, 'dense', 0.985, 1.25, 324776, 1],
              [1, 'pruned', 0.98, 1.2, 64955, 5],
              [2, 'pruned', null, 1.123, 3248, 99.96],
            ],
            total: [null, 'total', null, 3.573, null, null],
          },
        ],
      },
      {
        title: 'Weights',
        items: [
          weightHistogram(weights, pruned, { title: 'fc2.weight', bins: 30 }),
          maskMap(Tensor.of(mask, [20, 30]), { title: 'fc2.weight' }),
        ],
      },
      {
        title: 'Images',
        items: [
          {
            kind: 'images',
            title: 'A street',
            caption: 'Objects that were found.',
            images: ['before', 'after'].map((label) => ({
              label,
              alt: `A street with the objects found ${label} pruning`,
              width: 64,
              height: 48,
              source: PIXEL,
            })),
          },
        ],
      },
    ],
  };
}
