import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { operatorTable } from '../scripts/operator-table.mjs';
import { OPERATORS, type Operator } from '../src/ops/index.ts';

const relu: Operator = {
  domain: '',
  opType: 'Relu',
  opsets: [6, 21],
  summary: 'max(x, 0),\n  elementwise: a | b.',
  infer: (ctx) => [ctx.input(0)],
  cost: { unsupported: 'not counted' },
  grad: () => [null],
  channels: () => ({ outputs: [] }),
  layer: null,
};

describe('docs/operators.md', () => {
  it('has one row per operator, sorted by domain and name, with the reason where a rule is missing', () => {
    const page = operatorTable([
      { ...relu, domain: 'com.microsoft', opsets: [1, 1] },
      relu,
      { ...relu, opType: 'Abs', cost: () => ({ macs: 0, 'thop@0.0.31': 0, 'thop@0.1.1': 0 }) },
    ]);
    expect(page.split('\n').filter((line) => / \| yes \| /.test(line))).toEqual([
      '| Abs | ai.onnx | 6-21 | yes | yes | yes | yes | max(x, 0), elementwise: a \\| b. |',
      '| Relu | ai.onnx | 6-21 | yes | no: not counted | yes | yes | max(x, 0), elementwise: a \\| b. |',
      '| Relu | com.microsoft | 1 | yes | no: not counted | yes | yes | max(x, 0), elementwise: a \\| b. |',
    ]);
  });

  it('is up to date with the table (`npm run docs` writes it)', () => {
    const page = readFileSync(new URL('../docs/operators.md', import.meta.url), 'utf8');
    expect(page === operatorTable(OPERATORS), 'docs/operators.md differs: run `npm run docs`').toBe(true);
  });
});
