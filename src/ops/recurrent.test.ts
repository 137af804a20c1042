import { describe, expect, it } from 'vitest';
import { oneNode } from '../../test/one-node.ts';
import { ShapeError } from '../core/errors.ts';
import { type Attribute, attr } from '../ir/index.ts';

const bidirectional = { direction: attr.string('bidirectional') };

describe('shapes of recurrent layers', () => {
  it('are steps, directions, batch, hidden, and the last states', () => {
    const inputs = [
      'float32[steps,batch,3]',
      'float32[2,20,3]',
      'float32[2,20,5]',
      'float32[2,40]',
      null,
      'float32[2,batch,5]',
      'float32[2,batch,5]',
      'float32[2,15]',
    ];
    expect(
      oneNode('LSTM', inputs, { attributes: { ...bidirectional, hidden_size: attr.int(5) }, outputs: 3 })
        .types,
    ).toEqual(['float32[steps, 2, batch, 5]', 'float32[2, batch, 5]', 'float32[2, batch, 5]']);
    expect(
      oneNode('GRU', ['float32[7,2,3]', 'float32[1,15,3]', 'float32[1,15,5]'], { outputs: 2 }).types,
    ).toEqual(['float32[7, 1, 2, 5]', 'float32[1, 2, 5]']);
    const reverse = { direction: attr.string('reverse') };
    const rnn = ['float32[7,2,3]', 'float32[1,5,3]', 'float32[1,5,5]', null, 'int32[2]'];
    expect(oneNode('RNN', rnn, { attributes: reverse, outputs: 2 }).types).toEqual([
      'float32[7, 1, 2, 5]',
      'float32[1, 2, 5]',
    ]);
  });

  it('put the batch first with layout 1', () => {
    const attributes = { ...bidirectional, layout: attr.int(1) };
    const inputs = [
      'float32[batch,steps,3]',
      'float32[2,15,3]',
      'float32[2,15,5]',
      null,
      null,
      'float32[batch,2,5]',
    ];
    expect(oneNode('GRU', inputs, { attributes, outputs: 2 }).types).toEqual([
      'float32[batch, steps, 2, 5]',
      'float32[batch, 2, 5]',
    ]);
  });
});

describe('errors of recurrent layers', () => {
  const [X, W, R] = ['float32[7,2,3]', 'float32[1,20,3]', 'float32[1,20,5]'];
  it.each<[(string | null)[], Record<string, Attribute>, string]>([
    [['float32[2,3]', W, R], {}, 'the input expects 3 dimensions, got 2'],
    [
      [X, 'float32[1,20,4]', R],
      {},
      'weight W expects 4 input features, got 3; prune both sides of the connection together',
    ],
    [[X, 'float32[1,15,3]', R], {}, 'weight W expects shape [1, 20, 3], got [1, 15, 3]'],
    [[X, W, 'float32[2,20,5]'], {}, 'weight R expects shape [1, 20, 5], got [2, 20, 5]'],
    [[X, W, R], { hidden_size: attr.int(6) }, 'weight W expects shape [1, 24, 3], got [1, 20, 3]'],
    [
      [X, W, R],
      { direction: attr.string('up') },
      "direction expects forward, reverse or bidirectional, got 'up'",
    ],
    [[X, W, R], bidirectional, 'weight W expects shape [2, 20, 3], got [1, 20, 3]'],
    [[X, W, R, 'float32[1,20]'], {}, 'bias expects shape [1, 40], got [1, 20]'],
    [[X, W, R, null, 'int32[3]'], {}, 'sequence_lens expects shape [2], got [3]'],
    [[X, W, R, null, null, 'float32[1,3,5]'], {}, 'initial_h expects shape [1, 2, 5], got [1, 3, 5]'],
    [[X, W, R, null, null, null, 'float32[1,3,5]'], {}, 'initial_c expects shape [1, 2, 5], got [1, 3, 5]'],
    [[X, W, R, null, null, null, null, 'float32[1,10]'], {}, 'peepholes expects shape [1, 15], got [1, 10]'],
    [[X, W, 'float64[1,20,5]'], {}, 'input 2 expects float32 as input 0, got float64; put a Cast before it'],
    [[X, W], {}, 'input 2 is required and missing'],
  ])('LSTM of %j with %o: %s', (inputs, attributes, message) => {
    const build = (): unknown => oneNode('LSTM', inputs, { attributes });
    expect(build).toThrow(ShapeError);
    expect(build).toThrow(`LSTM 'node': ${message}`);
  });
});

describe('cost of recurrent layers', () => {
  // Steps 7, batch 2, 3 features, 5 hidden; per step and gate 5 * (3 + 5).
  const cost = (opType: string, gates: number, ways: number, bias: boolean): unknown => {
    const rows = gates * 5;
    const inputs = [
      'float32[7,2,3]',
      `float32[${ways},${rows},3]`,
      `float32[${ways},${rows},5]`,
      bias ? `float32[${ways},${2 * rows}]` : null,
    ];
    return oneNode(opType, inputs, { attributes: ways === 2 ? bidirectional : {} }).cost;
  };

  it('is the matrix products of each step; thop adds biases and elementwise operations', () => {
    // thop's _count_lstm_cell(3, 5, bias): 4 * (8 * 5 + 5 [+ 10]) + 3 * 5 + 5
    expect(cost('LSTM', 4, 1, true)).toEqual({
      macs: 14 * 160,
      'thop@0.0.31': 14 * 240,
      'thop@0.1.1': 14 * 240,
    });
    expect(cost('LSTM', 4, 2, false)).toEqual({
      macs: 28 * 160,
      'thop@0.0.31': 28 * 200,
      'thop@0.1.1': 28 * 200,
    });
    // _count_gru_cell: 3 * (8 * 5 + 5 [+ 10]) + 5 + 3 * 5
    expect(cost('GRU', 3, 1, true)).toEqual({
      macs: 14 * 120,
      'thop@0.0.31': 14 * 185,
      'thop@0.1.1': 14 * 185,
    });
    // _count_rnn_cell: 8 * 5 + 5 [+ 10]
    expect(cost('RNN', 1, 1, true)).toEqual({ macs: 14 * 40, 'thop@0.0.31': 14 * 55, 'thop@0.1.1': 14 * 55 });
  });
});

describe('recurrent layers', () => {
  it('have weights of inputs and of states, for both directions in one tensor', () => {
    const inputs = [
      'float32[7,2,3]',
      'const float32[1,20,3]',
      'const float32[1,20,5]',
      'const float32[1,40]',
    ];
    const layout = { output: 1, kernel: [], groups: 1 };
    expect(oneNode('LSTM', inputs).layer).toEqual({
      type: 'LSTM',
      parameters: [
        { name: 'weight_ih', input: 1, kind: 'parameter', layout: { ...layout, input: 2 } },
        { name: 'weight_hh', input: 2, kind: 'parameter', layout: { ...layout, input: 2 } },
        { name: 'bias', input: 3, kind: 'parameter', layout: { ...layout, input: null } },
      ],
    });
  });
});
