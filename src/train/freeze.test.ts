import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { DataLoader } from '../data/index.ts';
import { Sequential } from '../nn/index.ts';
import { freeze } from './freeze.ts';
import { lossFunction } from './objective.ts';
import { SGD } from './optimizers/index.ts';
import { blobs, type SmallNet, smallNet } from './testdata/blobs.ts';
import { TrainStep } from './train-step.ts';
import { Trainer } from './trainer.ts';

const elements = (model: SmallNet, name: string): readonly number[] => [
  ...model.stateDict().get(name)!.float32,
];

/** Operators of a step's graph. */
const nodesOf = async (model: SmallNet): Promise<number> => {
  const step = new TrainStep(model, {
    loss: lossFunction('crossEntropy'),
    optimizer: new SGD(model.parameters(), { lr: 0.1, momentum: 0.9 }),
  });
  const { graph } = await step.graph([{ shape: [8, 1, 6, 6] }, { shape: [8], dtype: 'int64' }]);
  await step.dispose();
  return graph.nodes.length;
};

describe('freeze', () => {
  it('freezes what patterns match, by names or by what they stand in, and says what', () => {
    const model = smallNet();
    expect(freeze(model, ['conv', '*.bias'])).toEqual(['conv.weight', 'conv.bias', 'bn.bias', 'fc.bias']);
    expect([...model.parameters()].map(({ requiresGrad }) => requiresGrad)).toEqual([
      false,
      false,
      true,
      false,
      true,
      false,
    ]);
    expect(freeze(model, 'fc.w?ight')).toEqual(['fc.weight']);
    expect(freeze(smallNet(), '[bf]*.bias')).toEqual(['bn.bias', 'fc.bias']);
  });

  it('leaves parameters as they are to the bit, while running statistics move as in PyTorch', async () => {
    const model = smallNet();
    freeze(model, ['conv', 'bn']);
    const names = ['conv.weight', 'conv.bias', 'bn.weight', 'bn.bias'];
    const before = names.map((name) => elements(model, name));
    const [mean, fc] = [elements(model, 'bn.running_mean'), elements(model, 'fc.weight')];
    const optimizer = new SGD(model.parameters(), { lr: 0.1, momentum: 0.9, weightDecay: 0.1 });
    const trainer = new Trainer(model, { optimizer, threads: 1 });
    await trainer.fit(new DataLoader(blobs(32), { batchSize: 16 }), { epochs: 1 });
    await trainer.dispose();
    expect(names.map((name) => elements(model, name))).toEqual(before);
    expect(elements(model, 'bn.running_mean')).not.toEqual(mean);
    expect(elements(model, 'fc.weight')).not.toEqual(fc);
  });

  it('makes the graph of a step smaller: no gradient is computed for what is frozen', async () => {
    const whole = await nodesOf(smallNet());
    const model = smallNet();
    freeze(model, ['conv', 'bn']);
    expect(await nodesOf(model)).toBeLessThan(whole / 2);
  });

  it('refuses a pattern that matches nothing, and has frozen nothing then', () => {
    const model = smallNet();
    expect(() => freeze(model, ['conv', 'fc.weights'])).toThrow(
      new ArgumentError(
        "freeze: no parameter of SmallNet matches 'fc.weights'; names are such as 'fc.weight'",
      ),
    );
    expect(() => freeze(model, 'model.24')).toThrow(
      "freeze: no parameter of SmallNet matches 'model.24'; names are such as 'conv.weight', 'conv.bias', 'bn.weight'",
    );
    expect([...model.parameters()].every(({ requiresGrad }) => requiresGrad)).toBe(true);
    expect(() => freeze(new Sequential(), '*')).toThrow(
      "freeze: no parameter of Sequential matches '*'; it has none",
    );
  });
});
