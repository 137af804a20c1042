import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { build } from '../scripts/build.mjs';
import { ROOT, runNode } from '../scripts/tools.mjs';

/** What each example must say; the numbers are PyTorch's for the same seeds, or the notes'. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  '1-local-pruning.mjs': [
    "parameters: [ 'bias', 'weight_orig' ]",
    'history:    RandomUnstructured, LnStructured',
    "parameters: [ 'bias_orig', 'weight' ]",
  ],
  '2-iterative-pruning.mjs': ['fc1.weight_orig       70.00 % zero', 'conv2.weight_orig     20.02 % zero'],
  '3-global-pruning.mjs': ['global sparsity: 20.00 %'],
  '4-custom-pruning.mjs': ['0 1 0 1 0 1 0 1 0 1'],
  '5-yolov5-sparsity.mjs': ['GFLOPs      7.9331296', 'parameters  7.02772 M', 'after prune(model, 0.3)'],
  '7-train-prune-finetune.mjs': ['trained:  9', '3      90.0 %', 'written:  '],
  '8-cut-in-rounds.mjs': ['0      81194       274656', "fc3: reaches the output 'output'", 'written:  '],
  'yolov5-bccd/prune.mjs': [
    'for 3 classes these begin anew: model.24.m.0.weight',
    'round 1, epoch 1/1: loss ',
    'parameters           1767976',
    '3 outputs and 60 layers on 1 random input',
    'written: ',
  ],
  '6-onnx-file.mjs': ['276292 parameters, 100418560 MACs, 0 zeros', "largest difference of 'boxes': "],
};
/** Where examples that write a file are told to; and to be short. */
const WRITES: Readonly<Record<string, readonly string[]>> = {
  'yolov5-bccd/prune.mjs': [
    ...['--folder', join(mkdtempSync(join(tmpdir(), 'secateur-example-')), 'bccd')],
    ...'--size 64 --limit 4 --epochs 1 --finetune-epochs 1 --rounds 1'.split(' '),
  ],
  '8-cut-in-rounds.mjs': [join(mkdtempSync(join(tmpdir(), 'secateur-example-')), 'small.onnx')],
  '7-train-prune-finetune.mjs': [join(mkdtempSync(join(tmpdir(), 'secateur-example-')), 'sparse.onnx')],
};
const NEEDS_SHARED = ['6-onnx-file.mjs', 'yolov5-bccd/prune.mjs'];
const hasShared = existsSync(join(ROOT, '..', 'shared', 'data', 'onnx'));

describe('examples', () => {
  beforeAll(() => {
    if (!existsSync(join(ROOT, 'dist', 'index.js'))) expect(build()).toBe(0);
  });

  it('are all run here', () => {
    const files = readdirSync(join(ROOT, 'examples'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.mjs'))
      .map((name) => name.replaceAll('\\', '/'));
    expect(files.sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  for (const [name, lines] of Object.entries(EXPECTED)) {
    it(`${name} runs and prints what it says`, ({ skip }) => {
      skip(NEEDS_SHARED.includes(name) && !hasShared, 'needs the folder ../shared');
      const { status, output } = runNode([join('examples', name), ...(WRITES[name] ?? [])]);
      expect(status, output).toBe(0);
      for (const line of lines) expect(output).toContain(line);
    });
  }
});
