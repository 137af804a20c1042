import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { Conv2d, F, fromGraph, Module, manualSeed, toGraph, type Variable } from '../nn/index.ts';
import { analyzeChannels, type ChannelGroups, groupChannels } from '../structural/index.ts';
import { penalizeChannels } from './growing.ts';
import type { Regularizer } from './objective.ts';
import { SGD } from './optimizers/index.ts';
import { freshGraph } from './testdata/shrinking.ts';
import { TrainStep } from './train-step.ts';

/** The units that have these channels of a parameter's axis. */
function unitsAt(groups: ChannelGroups, name: string, axis: number, channels: readonly number[]): Uint8Array {
  const removed = new Uint8Array(groups.unitCount);
  for (const member of groups.groups.flatMap(({ members }) => members)) {
    if (member.name !== name || member.axis !== axis) continue;
    member.indices.forEach((index, at) => {
      if (channels.includes(index)) removed[member.units[at]!] = 1;
    });
  }
  return removed;
}

const grouped = (graph: Parameters<typeof analyzeChannels>[0]): ChannelGroups =>
  groupChannels(analyzeChannels(graph), {});

/** What one step of plain gradient descent takes from each parameter at a rate of 1, by name. */
async function gradients(
  model: ReturnType<typeof fromGraph>,
  input: Tensor,
  regularizers: readonly Regularizer[],
): Promise<{ loss: number; taken: Map<string, number[]> }> {
  const before = new Map([...model.namedParameters()].map(([name, { data }]) => [name, data.toNumbers()]));
  const step = new TrainStep(model, {
    optimizer: new SGD(model.parameters(), { lr: 1 }),
    // A loss that does not depend on the weights.
    loss: (output) => output.sum().mul(0),
    regularizers,
    threads: 1,
  });
  const { loss } = await step.run([input], Tensor.zeros('float32', [1]));
  await step.dispose();
  const taken = new Map<string, number[]>();
  for (const [name, { data }] of model.namedParameters()) {
    const now = data.toNumbers();
    taken.set(
      name,
      before.get(name)!.map((value, at) => value - now[at]!),
    );
  }
  return { loss, taken };
}

describe('penalizeChannels', () => {
  it('is half of λ times the squares of all weights that make, read, scale or shift the channels', async () => {
    const graph = freshGraph();
    const groups = grouped(graph);
    const model = fromGraph(graph);
    const weights = new Map([...model.namedParameters()].map(([name, { data }]) => [name, data.toNumbers()]));
    const removed = unitsAt(groups, 'conv2.weight', 0, [1, 7]);
    const { loss, taken } = await gradients(model, Tensor.zeros('float32', [2, 1, 6, 6]), [
      penalizeChannels(groups, removed, 0.5),
    ]);
    /** Which entries of a parameter belong to channels 1 and 7, by their places. */
    const goes: Record<string, (at: number) => boolean> = {
      'conv2.weight': (at) => [1, 7].includes(Math.floor(at / 72)),
      'bn2.weight': (at) => [1, 7].includes(at),
      'bn2.bias': (at) => [1, 7].includes(at),
      'conv3.weight': (at) => [1, 7].includes(at % 12),
    };
    let squares = 0;
    for (const [name, values] of weights) {
      values.forEach((value, at) => {
        const isGoing = goes[name]?.(at) ?? false;
        if (isGoing) squares += value * value;
        expect(taken.get(name)![at], `${name}[${at}]`).toBeCloseTo(isGoing ? 0.5 * value : 0, 6);
      });
    }
    expect(squares).toBeGreaterThan(1);
    expect(loss).toBeCloseTo(0.25 * squares, 5);
  });

  it('finds the channels of each part of a grouped convolution', async () => {
    class Grouped extends Module {
      first = new Conv2d(2, 4, 1, { bias: false });
      second = new Conv2d(4, 6, 1, { groups: 2, bias: false });
      third = new Conv2d(6, 2, 1, { bias: false });

      override forward(x: Variable): Variable {
        return this.third.call(F.relu(this.second.call(F.relu(this.first.call(x)))));
      }
    }
    manualSeed(3);
    const graph = toGraph(new Grouped(), [['batch', 2, 3, 3]]);
    const groups = grouped(graph);
    // One of each half, so that both are still as many.
    const removed = unitsAt(groups, 'first.weight', 0, [1, 2]);
    const { taken } = await gradients(fromGraph(graph), Tensor.zeros('float32', [1, 2, 3, 3]), [
      penalizeChannels(groups, removed, 1),
    ]);
    const shrinking = (name: string): number[] =>
      taken.get(name)!.flatMap((value, at) => (value === 0 ? [] : [at]));
    expect(shrinking('first.weight')).toEqual([2, 3, 4, 5]);
    // [6, 2, 1, 1]: outputs 0 to 2 read channels 0 and 1, the others 2 and 3.
    expect(shrinking('second.weight')).toEqual([1, 3, 5, 6, 8, 10]);
    expect(shrinking('third.weight')).toEqual([]);
  });

  it('refuses what cannot be penalized', async () => {
    const graph = freshGraph();
    const groups = grouped(graph);
    const removed = unitsAt(groups, 'conv2.weight', 0, [0]);
    expect(() => penalizeChannels(groups, removed, -1)).toThrow(
      'penalizeChannels: lambda expects a number of at least 0, got -1',
    );
    expect(() => penalizeChannels(groups, new Uint8Array(groups.unitCount), 1)).toThrow(
      'penalizeChannels: no channel is to go; choose some with decide first',
    );
    manualSeed(1);
    const other = fromGraph(toGraph(new Conv2d(1, 2, 3), [[1, 1, 6, 6]]));
    await expect(
      gradients(other, Tensor.zeros('float32', [1, 1, 6, 6]), [penalizeChannels(groups, removed, 1)]),
    ).rejects.toThrow("penalizeChannels: the model has no parameter 'conv2.weight'");
  });
});
