import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { fromGraph, Linear, Sequential } from '../nn/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { trainingNotes } from './notes.ts';
import { smallNet } from './testdata/blobs.ts';
import { exportedNet, foldedNet, oldNet } from './testdata/graphs.ts';

const NO_DROPOUT =
  'The file has no dropout: where the network was trained with it, exporting left it out, and training goes on without.';

describe('trainingNotes', () => {
  it('has nothing to say of layers written here, or of a file that has all', () => {
    expect(trainingNotes(smallNet())).toEqual([]);
    expect(trainingNotes(oldNet())).toEqual([]);
  });

  it('says that batch norm is folded away, and what that means', () => {
    const notes = trainingNotes(foldedNet());
    expect(notes).toHaveLength(2);
    expect(notes[0]).toMatch(
      /^The file has convolutions but no batch norm: if the network has some, exporting folded it into them\. Its statistics are then frozen into the weights .* use a lower learning rate, or export the network with batch norm kept/,
    );
    expect(notes[1]).toBe(NO_DROPOUT);
  });

  it('says that dropout is not in the file, also inside a model around it', () => {
    expect(trainingNotes(exportedNet())).toEqual([NO_DROPOUT]);
    expect(trainingNotes(new Sequential(exportedNet() as never))).toEqual([NO_DROPOUT]);
  });

  it('names parameters that are frozen or not float32', () => {
    const model = new Sequential(new Linear(2, 2), new Linear(2, 2), new Linear(2, 2));
    model.at(0).requiresGrad_(false);
    expect(trainingNotes(model)).toEqual([
      "'0.weight' and '0.bias' are frozen (requiresGrad is false) and will not be trained.",
    ]);
    model.requiresGrad_(false);
    expect(trainingNotes(model)).toEqual([
      "'0.weight', '0.bias', '1.weight' and 3 more parameters are frozen (requiresGrad is false) and will not be trained.",
    ]);
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float16', ['batch', 2]);
    const weight = builder.constant(Tensor.zeros('float16', [2, 2]), 'fc.weight');
    builder.output(builder.op('MatMul', [x, weight], { name: '/fc/MatMul' }), 'y');
    expect(trainingNotes(fromGraph(builder.graph))).toEqual([
      NO_DROPOUT,
      "'fc.weight' is float16; training expects float32, so convert the model first.",
    ]);
  });
});
