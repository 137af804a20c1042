import { describe, expect, it } from 'vitest';
import { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import { Graph, type Value } from '../../ir/index.ts';
import { GraphBuilder } from '../../ops/index.ts';
import { analyzeChannels, type ChannelGroups, groupChannels } from '../index.ts';
import {
  AGGREGATES,
  IMPORTANCE_METHODS,
  type ImportanceMethod,
  type ImportanceOptions,
  importance,
  importanceMethod,
  NORMALIZATIONS,
} from './index.ts';

const HIDDEN = 5;
const numbers = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, at) => Math.sin(seed * 7.31 + at * 12.9898) * 2);

/**
 * Hidden units between two linear layers, with batch norm and ReLU; `order[i]` is the unit that stands at place i. All weights are of one dtype.
 */
function hiddenUnits(order: readonly number[], dtype: 'float32' | 'float64' = 'float32'): Graph {
  const builder = new GraphBuilder(new Graph({ opset: 18 }));
  const constant = (name: string, shape: readonly number[], data: readonly number[]): Value => {
    const typed = dtype === 'float32' ? Float32Array.from(data) : Float64Array.from(data);
    return builder.constant(new Tensor(dtype, shape, typed), name);
  };
  const ordered = (data: readonly number[]): number[] => order.map((unit) => data[unit]!);
  const columns = numbers(3 * HIDDEN, 1);
  const first = [0, 1, 2].flatMap((row) => ordered(columns.slice(row * HIDDEN, (row + 1) * HIDDEN)));
  const second = order.flatMap((unit) => numbers(2 * HIDDEN, 2).slice(2 * unit, 2 * unit + 2));
  const x = builder.input('x', dtype, ['batch', 3]);
  const made = builder.op('MatMul', [x, constant('first.weight', [3, HIDDEN], first)]);
  const scaled = builder.op('BatchNormalization', [
    made,
    constant('norm.weight', [HIDDEN], ordered(numbers(HIDDEN, 3))),
    constant('norm.bias', [HIDDEN], ordered(numbers(HIDDEN, 4).map((y) => y + 1))),
    constant('norm.running_mean', [HIDDEN], ordered(numbers(HIDDEN, 5))),
    constant('norm.running_var', [HIDDEN], ordered(numbers(HIDDEN, 6).map((y) => 1 + y * y))),
  ]);
  const hidden = builder.op('Relu', [scaled]);
  builder.output(builder.op('MatMul', [hidden, constant('second.weight', [HIDDEN, 2], second)]), 'y');
  return builder.graph;
}

const INPUT = new Tensor('float32', [4, 3], Float32Array.from(numbers(12, 8)));
const DATA = [{ input: INPUT, target: Tensor.int64([0, 1, 1, 0]) }];
const IN_ORDER = [0, 1, 2, 3, 4];

const groupsOf = (graph: Graph): ChannelGroups => groupChannels(analyzeChannels(graph));

/** Scores by place along the hidden units. */
async function scoresOf(groups: ChannelGroups, options: ImportanceOptions): Promise<number[]> {
  const scores = await importance(groups, options);
  const made = groups.groups[0]!.members.find(({ role }) => role === 'out')!;
  const places = new Array<number>(made.units.length);
  made.indices.forEach((place, at) => {
    places[place] = scores[made.units[at]!]!;
  });
  return places;
}

describe('importance', () => {
  it('of each method is a finite number >= 0 for each unit', async () => {
    const groups = groupsOf(hiddenUnits(IN_ORDER));
    expect(groups.unitCount).toBe(HIDDEN + 2);
    for (const { name } of IMPORTANCE_METHODS) {
      const scores = await importance(groups, { method: name, data: DATA });
      expect(scores, name).toHaveLength(groups.unitCount);
      for (const score of scores) expect(score, name).toBeGreaterThanOrEqual(0);
      expect(new Set(scores).size, name).toBeGreaterThan(2);
    }
  });

  it('does not depend on where units stand', async () => {
    const order = [3, 0, 4, 1, 2];
    const [inOrder, turned] = [groupsOf(hiddenUnits(IN_ORDER)), groupsOf(hiddenUnits(order))];
    for (const { name } of IMPORTANCE_METHODS.filter((method) => method.name !== 'random')) {
      const expected = await scoresOf(inOrder, { method: name, data: DATA });
      const found = await scoresOf(turned, { method: name, data: DATA });
      found.forEach((score, place) => {
        expect(score, `${name} at ${place}`).toBeCloseTo(expected[order[place]!]!, 5);
      });
    }
  });

  it('is computed in float64 where weights are', async () => {
    const groups = groupsOf(hiddenUnits(IN_ORDER, 'float64'));
    const [first, gamma, second] = [numbers(15, 1), numbers(HIDDEN, 3), numbers(10, 2)];
    const of = (term: (x: number) => number): number[] =>
      IN_ORDER.map((unit) => {
        const made = [0, 1, 2].reduce((sum, row) => sum + term(first[row * HIDDEN + unit]!), 0);
        const read = term(second[2 * unit]!) + term(second[2 * unit + 1]!);
        return (made + read + term(gamma[unit]!)) / 3;
      });
    const exact = async (options: ImportanceOptions, expected: readonly number[]): Promise<void> => {
      const scores = await scoresOf(groups, { normalize: 'none', ...options });
      scores.forEach((score, unit) => {
        expect(Math.abs(score - expected[unit]!)).toBeLessThan(1e-14 * expected[unit]!);
      });
    };
    await exact({ method: 'l1' }, of(Math.abs));
    await exact(
      { method: 'l2' },
      of((x) => x * x),
    );
    await exact({ method: 'batch-norm' }, gamma.map(Math.abs));
    const l2 = of((x) => x * x);
    await exact(
      { method: 'lamp' },
      l2.map((score) => score / l2.reduce((sum, other) => (other >= score ? sum + other : sum), 0)),
    );
  });

  it('counts filters alone where it is asked to', async () => {
    const groups = groupsOf(hiddenUnits(IN_ORDER));
    const first = Float32Array.from(numbers(15, 1));
    const scores = await scoresOf(groups, { method: 'l1', members: 'out', normalize: 'none' });
    scores.forEach((score, unit) => {
      expect(score).toBeCloseTo(
        [0, 1, 2].reduce((sum, row) => sum + Math.abs(first[row * HIDDEN + unit]!), 0),
        12,
      );
    });
  });

  it('draws random numbers from the seed', async () => {
    const groups = groupsOf(hiddenUnits(IN_ORDER));
    const drawn = new Generator(3).rand64(groups.unitCount);
    const scores = await importance(groups, { method: 'random', seed: 3 });
    const group = groups.groups[0]!;
    expect(Array.from(group.units, (unit) => scores[unit])).toEqual(
      Array.from(group.units, (unit) => drawn[unit]),
    );
    expect(await importance(groups, { method: 'random', seed: 4 })).not.toEqual(scores);
    expect(await importance(groups, { method: 'random' })).toEqual(
      await importance(groups, { method: 'random', seed: 0 }),
    );
  });

  it('is 0 where nothing can go, and needs no data there', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 2]);
    const weight = builder.constant(new Tensor('float32', [2, 3], Float32Array.from(numbers(6, 1))), 'w');
    builder.output(builder.op('MatMul', [x, weight]));
    const groups = groupsOf(builder.graph);
    expect([...(await importance(groups, { method: 'taylor' }))]).toEqual([0, 0, 0]);
    // The outputs of the second layer, beside hidden units that are scored.
    const whole = groupsOf(hiddenUnits(IN_ORDER));
    const scores = await importance(whole, { method: 'l2' });
    whole.whyNot.forEach((why, unit) => {
      if (why === null) expect(scores[unit]).toBeGreaterThan(0);
      else expect(scores[unit]).toBe(0);
    });
    expect(whole.whyNot.filter((why) => why !== null)).toHaveLength(2);
  });

  it('refuses options it does not know', async () => {
    const groups = groupsOf(hiddenUnits(IN_ORDER));
    const refused: [object, string][] = [
      [
        { method: 'l3' },
        "importance: method 'l3' is not known; expected l1, l2, lamp, batch-norm, fpgm, taylor, taylor-multi, hessian, activation-mean, apoz, wanda, random",
      ],
      [{ aggregate: 'median' }, "importance: aggregate expects sum, mean, max, first, got 'median'"],
      [{ normalize: 'min' }, "importance: normalize expects mean, max, sum, none, got 'min'"],
      [{ members: 'in' }, "importance: members expects out, out-in, got 'in'"],
      [{ fallback: 'fpgm' }, "importance: fallback expects l1, l2, got 'fpgm'"],
      [{ threshold: -1 }, 'importance: threshold expects a number >= 0, got -1'],
    ];
    for (const [options, message] of refused) {
      await expect(importance(groups, { method: 'l2', ...options } as ImportanceOptions)).rejects.toThrow(
        message,
      );
    }
  });

  it('refuses scores that are not finite', async () => {
    const graph = hiddenUnits(IN_ORDER);
    graph.value('first.weight').initializer!.float32[HIDDEN + 1] = Number.NaN;
    const groups = groupsOf(graph);
    const unit = groups.groups[0]!.units[0];
    await expect(importance(groups, { method: 'l1' })).rejects.toThrow(
      `importance: the score of unit ${unit} of '${groups.groups[0]!.name}' is NaN; are there weights or inputs that are not finite?`,
    );
  });

  it('leaves the model as it is', async () => {
    const groups = groupsOf(hiddenUnits(IN_ORDER));
    const { graph } = groups.coupling;
    const before = graph.print();
    const weights = graph.initializers.map(({ initializer }) => initializer!.clone().toNumbers());
    for (const { name } of IMPORTANCE_METHODS) await importance(groups, { method: name, data: DATA });
    expect(graph.print()).toBe(before);
    expect(graph.initializers.map(({ initializer }) => initializer!.toNumbers())).toEqual(weights);
  });
});

describe('importance methods', () => {
  it('are listed once each, with what they need', () => {
    const names = IMPORTANCE_METHODS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const needing = (needs: string): ImportanceMethod[] =>
      IMPORTANCE_METHODS.filter((method) => method.needs === needs).map(({ name }) => name);
    expect(needing('inputs')).toEqual(['activation-mean', 'apoz', 'wanda']);
    expect(needing('targets')).toEqual(['taylor', 'taylor-multi', 'hessian']);
    for (const { description } of IMPORTANCE_METHODS) expect(description).toMatch(/^[A-Z].*\.$/);
    expect(importanceMethod('apoz').needs).toBe('inputs');
    expect([...AGGREGATES, ...NORMALIZATIONS]).toHaveLength(8);
  });

  it('fail without data where they need it, and only there', async () => {
    const groups = groupsOf(hiddenUnits(IN_ORDER));
    for (const { name, needs } of IMPORTANCE_METHODS) {
      const scored = importance(groups, { method: name });
      if (needs === 'nothing') await expect(scored).resolves.toHaveLength(groups.unitCount);
      else await expect(scored).rejects.toThrow(`importance: '${name}' needs data`);
    }
  });
});
