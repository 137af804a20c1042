import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readGraph, sameBytes, sharedFolder } from '../../test/model-files.ts';
import { ArgumentError, StateDictError, StructuralError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, type Graph, type Value } from '../ir/index.ts';
import { LeNet5, MobileNetV2, resnet } from '../models/index.ts';
import { type AnyModule, fromGraph, toGraph } from '../nn/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { analyzeChannels } from './analyze.ts';
import { removedBy, renewPlan } from './apply-plan.ts';
import { costOf } from './cost.ts';
import { cutChannels } from './cut.ts';
import { decide } from './decide.ts';
import type { DecideOptions } from './decide-options.ts';
import { groupChannels } from './group-channels.ts';
import type { ChannelGroups, GroupOptions } from './groups.ts';
import { makePlan, type Plan, type PlanGroup, planText } from './plan.ts';
import { applyPlanToTensors, untouchedBy } from './plan-tensors.ts';
import { parsePlan } from './read-plan.ts';

const traced = (module: AnyModule, shape: readonly number[]): Graph =>
  toGraph(module, [{ dtype: 'float32', shape }]);

const grouped = (graph: Graph, options: GroupOptions = {}): ChannelGroups =>
  groupChannels(analyzeChannels(graph), options);

function randomScores({ unitCount }: ChannelGroups, seed = 1): Float64Array {
  return Float64Array.from(new Generator(seed).rand(unitCount));
}

function planOf(groups: ChannelGroups, options: Partial<DecideOptions> = {}): Plan {
  const scores = randomScores(groups);
  const deciding = { ratio: 0.5, ...options };
  return makePlan(groups, decide(groups, scores, deciding), { method: 'random', scores, options: deciding });
}

const noise = (generator: Generator, shape: readonly number[]): Tensor =>
  Tensor.of(generator.randn(shape.reduce((a, b) => a * b, 1)), shape);

/** Weights under a module's name, exported with a convolution over groups. */
function convolution(
  builder: GraphBuilder,
  generator: Generator,
  x: Value,
  name: string,
  shape: readonly number[],
  group = 1,
): Value {
  return builder.op('Conv', [x, builder.constant(noise(generator, shape), `${name}.weight`)], {
    name: `/${name}/Conv`,
    attributes: { group: attr.int(group) },
  });
}

/** 1x1 convolutions, the middle one over 4 groups of 6 inputs. */
function groupedNet(): Graph {
  const builder = new GraphBuilder();
  const generator = new Generator(3);
  const x = builder.input('x', 'float32', [1, 3, 4, 4]);
  const a = convolution(builder, generator, x, 'a', [24, 3, 1, 1]);
  const b = convolution(builder, generator, a, 'b', [16, 6, 1, 1], 4);
  const c = convolution(builder, generator, b, 'c', [5, 16, 1, 1]);
  builder.graph.addOutput(c);
  return builder.graph;
}

/** The first 8 of 16 channels of `a` and the last 8 of `b` are added, and all of both go on: neither layer has all channels of their group. */
function partNet(): Graph {
  const builder = new GraphBuilder();
  const generator = new Generator(4);
  const x = builder.input('x', 'float32', [1, 3, 4, 4]);
  const a = convolution(builder, generator, x, 'a', [16, 3, 1, 1]);
  const b = convolution(builder, generator, x, 'b', [16, 3, 1, 1]);
  const numbers = (value: number): Value => builder.constant(Tensor.int64([value]), 'numbers');
  const part = (of: Value, from: number): Value =>
    builder.op('Slice', [of, numbers(from), numbers(from + 8), numbers(1)], { name: `/Slice_${from}` });
  const sum = builder.op('Add', [part(a, 0), part(b, 8)], { name: '/Add' });
  const all = builder.op('Concat', [sum, a, b], { name: '/Concat', attributes: { axis: attr.int(1) } });
  builder.graph.addOutput(convolution(builder, generator, all, 'out', [4, 40, 1, 1]));
  return builder.graph;
}

const lenet = grouped(traced(new LeNet5(), [1, 1, 32, 32]));

const edited = (plan: Plan, name: string, edit: (group: PlanGroup) => PlanGroup): Plan => ({
  ...plan,
  groups: plan.groups.map((group) => (group.name === name ? edit(group) : group)),
});

describe('makePlan', () => {
  it('says what is cut where, and why', () => {
    const scores = Float64Array.from({ length: lenet.unitCount }, (_, unit) => unit / 3);
    const options = { ratio: 0.5, ignore: ['conv2'], scope: undefined };
    const decision = decide(lenet, scores, { ratio: 0.5, ignore: ['conv2'] });
    const plan = makePlan(lenet, decision, { method: 'l2', scores, options, created: '2024-02-03' });
    expect(plan).toMatchObject({
      format: 'secateur-plan/1',
      created: '2024-02-03',
      heads: 'width',
      options: { ratio: 0.5, ignore: ['conv2'] },
      model: {
        inputs: { input: [1, 1, 32, 32] },
        parameters: { before: 81_194, after: costOf(lenet, decision.removed).parameters },
      },
      kept: [
        { layer: 'conv2', why: "is ignored: matches 'conv2'" },
        { layer: 'fc3', why: "reaches the output 'output'" },
      ],
    });
    expect(plan.groups.map(({ name }) => name)).toEqual(['conv1', 'fc1', 'fc2']);
    expect(plan.groups[0]).toEqual({
      name: 'conv1',
      layers: ['conv1'],
      channels: 6,
      remove: [0, 1, 2],
      why: { method: 'l2', asked: 0.5, scores: [0, 0.333333, 0.666667] },
      members: [
        { parameter: 'conv1.weight', shape: [6, 1, 3, 3], axis: 0, role: 'out', remove: [0, 1, 2] },
        { parameter: 'conv1.bias', shape: [6], axis: 0, role: 'side', remove: [0, 1, 2] },
        { parameter: 'conv2.weight', shape: [16, 6, 3, 3], axis: 1, role: 'in', remove: [0, 1, 2] },
      ],
    });
  });

  it('names layers beyond what is followed', () => {
    const builder = new GraphBuilder();
    const generator = new Generator(5);
    const x = builder.input('x', 'float32', [1, 3, 4, 4]);
    const a = convolution(builder, generator, x, 'a', [8, 3, 1, 1]);
    const magic = builder.op('Magic', [a], { name: '/Magic', domain: 'my.ops' });
    builder.graph.addOutput(convolution(builder, generator, magic, 'b', [4, 8, 1, 1]));
    expect(planOf(grouped(builder.graph)).kept).toEqual([
      { layer: 'a', why: "my.ops.Magic '/Magic': is not in the operator table; its channels stay" },
      { layer: 'b', why: "Conv '/b/Conv': the sizes of '/Magic_output_0' are not known before it runs" },
    ]);
  });

  it('names layers whose weights are computed in the graph, and none whose weights are data', () => {
    const builder = new GraphBuilder();
    const generator = new Generator(6);
    const x = builder.input('x', 'float32', [1, 3, 4, 4]);
    const whole = builder.constant(new Tensor('int8', [6, 3, 1, 1], new Int8Array(18).fill(3)), 'q');
    const scale = builder.constant(Tensor.of(Float32Array.of(0.5), []), 'scale');
    const weight = builder.op('DequantizeLinear', [whole, scale], { name: '/dq' });
    const a = builder.op('Conv', [x, weight], { name: '/a/Conv' });
    const b = convolution(builder, generator, a, 'b', [4, 6, 1, 1]);
    builder.output(builder.op('MatMul', [b, b]), 'y');
    expect(planOf(grouped(builder.graph)).kept).toEqual([
      { layer: 'b', why: expect.stringContaining("reaches the output 'y'") },
      {
        layer: '/a/Conv',
        why: "its weight is computed by DequantizeLinear '/dq', and only constants can be cut; prune a model before it is quantized",
      },
    ]);
  });

  it('tells channels by several layers where no layer has all of them', () => {
    const groups = grouped(partNet());
    expect(groups.groups.map(({ layers, units }) => [layers, units.length])).toEqual([
      [['a', 'b'], 24],
      [['out'], 4],
    ]);
    const plan = planOf(groups);
    expect(plan.groups.map(({ name, members }) => [name, members[0]?.parameter])).toEqual([
      ['a', 'a.weight'],
      ['b', 'b.weight'],
    ]);
    const sum = plan.groups.reduce((count, { remove }) => count + remove.length, 0);
    expect(sum).toBe(12);
    expect(removedBy(plan, groups)).toEqual(decide(groups, randomScores(groups), { ratio: 0.5 }).removed);
  });
});

describe('planText', () => {
  it('writes lists of numbers on one line, and reads back', () => {
    const plan = planOf(lenet);
    const text = planText(plan);
    expect(text.endsWith('}\n')).toBe(true);
    expect(text).toMatch(/"remove": \[\d+(, \d+)*\],/);
    expect(parsePlan(text)).toEqual(plan);
    const odd = { ...plan, kept: [{ layer: 'a [ 1, 2 ]', why: '[\n 3 ]' }] };
    expect(parsePlan(planText(odd))).toEqual(odd);
  });
});

describe('a plan that is written and read', () => {
  const nets: readonly [string, () => ChannelGroups][] = [
    ['LeNet-5', () => lenet],
    ['ResNet-20', () => grouped(traced(resnet(20), [1, 3, 32, 32]))],
    ['ResNet-20 with padded shortcuts', () => grouped(traced(resnet(20, { shortcut: 'A' }), [1, 3, 32, 32]))],
    ['MobileNetV2', () => grouped(traced(new MobileNetV2({ widthMult: 0.25 }), [1, 3, 32, 32]))],
    ['a grouped convolution', () => grouped(groupedNet())],
    ['a grouped convolution, groups as wholes', () => grouped(groupedNet(), { heads: 'whole' })],
    ['a sum with a part', () => grouped(partNet())],
  ];

  it.each(nets)('cuts the same of %s, and the same of its state dict', (_, make) => {
    const groups = make();
    const state = fromGraph(groups.coupling.graph).stateDict();
    const scopes = fc.constantFrom('layer' as const, 'global' as const, 'isomorphic' as const);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 19 }), scopes, fc.integer(), (twentieths, scope, seed) => {
        const scores = randomScores(groups, seed);
        const decision = decide(groups, scores, { ratio: twentieths / 20, scope });
        const plan = parsePlan(planText(makePlan(groups, decision, { method: 'random', scores })));
        expect(removedBy(plan, groups)).toEqual(decision.removed);
        expect(renewPlan(plan, groups)).toEqual(plan);
        const cut = fromGraph(cutChannels(groups, decision.removed).graph).stateDict();
        const tensors = applyPlanToTensors(plan, state);
        expect([...tensors.keys()]).toEqual([...state.keys()]);
        for (const [name, tensor] of cut)
          expect([name, sameBytes(tensor, tensors.get(name)!)]).toEqual([name, true]);
      }),
      { numRuns: 4 },
    );
  });
});

describe('a plan of a shared model', () => {
  const folder = sharedFolder('models');
  const names = [
    'convnext_mini',
    'densenet_mini',
    'efficientnet_mini',
    'lenet5',
    'mnasnet0_5',
    'mobilenet_v2_035',
    'resnet_mini',
    'shufflenet_v2_x05',
    'splitnet',
    'squeezenet1_1',
    'unet_mini',
    'vit_mini',
  ];

  it.skipIf(folder === null).each(names)('cuts the state dict of %s as it cuts the graph', (name) => {
    for (const heads of name === 'vit_mini' ? (['width', 'whole'] as const) : (['width'] as const)) {
      let compared = 0;
      const groups = grouped(readGraph(`${folder}${name}.onnx`), { heads });
      const plan = parsePlan(planText(planOf(groups, { ratio: 0.4 })));
      const removed = removedBy(plan, groups);
      expect(removed).toEqual(decide(groups, randomScores(groups), { ratio: 0.4 }).removed);
      const tensors = applyPlanToTensors(plan, fromGraph(groups.coupling.graph).stateDict());
      for (const [parameter, tensor] of fromGraph(cutChannels(groups, removed).graph).stateDict()) {
        const found = tensors.get(parameter);
        // Sizes that the graph computed with are constants of the cut one alone.
        if (!found) continue;
        expect([parameter, sameBytes(tensor, found)]).toEqual([parameter, true]);
        compared++;
      }
      expect(compared).toBe(tensors.size);
    }
  });
});

describe('removedBy', () => {
  const plan = planOf(lenet, { ratio: 0.25 });

  it('follows what was edited by hand, and leaves other members alone', () => {
    const changed = edited(plan, 'fc2', (group) => ({ ...group, remove: [1, 5] }));
    const removed = removedBy(parsePlan(planText(changed)), lenet);
    const units = lenet.groups.find(({ name }) => name === 'fc2')!.units;
    expect(Array.from(units.keys()).filter((place) => removed[units[place]!] === 1)).toEqual([1, 5]);
    const none = edited(plan, 'fc2', (group) => ({ ...group, remove: [] }));
    expect(units.some((unit) => removedBy(none, lenet)[unit] === 1)).toBe(false);
  });

  const refused = (
    of: Plan,
    groups: ChannelGroups,
    kind: typeof ArgumentError | typeof StructuralError,
    message: RegExp,
  ): void => {
    expect(() => removedBy(of, groups)).toThrow(kind);
    expect(() => removedBy(of, groups)).toThrow(message);
  };

  it('refuses a plan of another model', () => {
    refused(
      plan,
      grouped(groupedNet()),
      ArgumentError,
      /group 'conv1' does not fit the model: it has no 'conv1\.weight'; it has a\.weight, b\.weight, c\.weight/,
    );
    const wider = grouped(traced(new LeNet5({ classes: 4 }), [1, 1, 32, 32]));
    const other = planOf(wider, { ratios: [{ pattern: 'fc2', ratio: 0.1 }] });
    const renamed = edited(other, 'fc2', (group) => ({
      ...group,
      members: [{ ...group.members[0]!, parameter: 'fc3.weight' }],
    }));
    refused(
      renamed,
      wider,
      ArgumentError,
      /'fc3\.weight' is \[4, 84\] in the model and \[84, 120\] in the plan/,
    );
    const axis = edited(plan, 'conv1', (group) => ({
      ...group,
      members: [{ ...group.members[0]!, axis: 2 }],
    }));
    refused(
      axis,
      lenet,
      ArgumentError,
      /axis 2 of its 'conv1\.weight' carries no channels that are followed/,
    );
  });

  it('refuses a model the plan was applied to already', () => {
    const cut = grouped(cutChannels(lenet, removedBy(plan, lenet)).graph);
    refused(
      plan,
      cut,
      ArgumentError,
      /'conv1\.weight' is \[4, 1, 3, 3\] in the model and \[6, 1, 3, 3\] in the plan; .*applied to this one already/,
    );
  });

  it('refuses channels that are not there, that cannot go, or that leave nothing', () => {
    const beyond = edited(plan, 'conv1', (group) => ({ ...group, remove: [0, 6, 7] }));
    refused(
      beyond,
      lenet,
      ArgumentError,
      /group 'conv1' removes 6, 7 of axis 0 of 'conv1\.weight'; channels that can be told apart there are 0 to 5/,
    );
    const frozen: Plan = {
      ...plan,
      groups: [
        {
          ...plan.groups[0]!,
          remove: [2],
          members: [{ parameter: 'fc3.weight', shape: [10, 84], axis: 0, role: 'out', remove: [2] }],
        },
      ],
    };
    refused(
      frozen,
      lenet,
      StructuralError,
      /channel 2 of 'fc3\.weight' cannot go: reaches the output 'output'/,
    );
    const all = edited(plan, 'conv1', (group) => ({ ...group, remove: [0, 1, 2, 3, 4, 5] }));
    refused(all, lenet, StructuralError, /plan: these channels cannot go together: conv1: all of 6/);
    const empty = edited(plan, 'conv1', (group) => ({ ...group, members: [] }));
    refused(empty, lenet, ArgumentError, /group 'conv1' has no members/);
  });

  it('refuses channels that leave rows of different lengths', () => {
    const groups = grouped(groupedNet());
    const uneven = edited(planOf(groups), 'a', (group) => ({ ...group, remove: group.remove.slice(1) }));
    refused(
      uneven,
      groups,
      StructuralError,
      /plan: these channels cannot go together: a: of 4 rows of 6 different numbers would stay/,
    );
  });

  it('refuses a part of what goes as a whole, naming the rest', () => {
    const groups = grouped(groupedNet(), { heads: 'whole' });
    const whole = planOf(groups);
    const part = edited(whole, 'a', (group) => ({ ...group, remove: [0, 1, 2, 3, 4] }));
    refused(
      part,
      groups,
      ArgumentError,
      /of 'a\.weight', channels 0, 1, 2, 3, 4 can only go together with 5; list all of them or none/,
    );
    refused(
      whole,
      grouped(groupedNet()),
      ArgumentError,
      /made with heads 'whole', the model's channels are grouped with 'width'/,
    );
  });
});

describe('renewPlan', () => {
  it('brings everything after an edited list', () => {
    const plan = planOf(lenet);
    const before = plan.groups.find(({ name }) => name === 'fc1')!;
    const changed = {
      ...edited(plan, 'fc1', (group) => ({ ...group, remove: [7, 9] })),
      kept: [...plan.kept, { layer: 'other', why: 'stays' }],
    };
    const emptied = edited(changed, 'conv2', (group) => ({ ...group, remove: [] }));
    const renewed = renewPlan(emptied, lenet);
    const fc1 = renewed.groups.find(({ name }) => name === 'fc1')!;
    expect(fc1.members.map(({ parameter, remove }) => [parameter, remove])).toEqual([
      ['fc1.weight', [7, 9]],
      ['fc1.bias', [7, 9]],
      ['fc2.weight', [7, 9]],
    ]);
    expect(before.why.scores).toHaveLength(60);
    expect(fc1.why).toEqual({ method: 'random', asked: 0.5 });
    expect(renewed.groups.map(({ name }) => name)).toEqual(['conv1', 'fc1', 'fc2']);
    expect(renewed.kept).toEqual([
      ...plan.kept,
      { layer: 'other', why: 'stays' },
      { layer: 'conv2', why: 'the plan takes nothing of it' },
    ]);
    expect(renewed.model.parameters.after).toBe(costOf(lenet, removedBy(emptied, lenet)).parameters);
    const tensors = applyPlanToTensors(renewed, fromGraph(lenet.coupling.graph).stateDict());
    expect(tensors.get('fc2.weight')!.shape).toEqual([42, 118]);
  });
});

describe('applyPlanToTensors', () => {
  const plan = planOf(lenet);
  const state = fromGraph(lenet.coupling.graph).stateDict();
  const shapes = (tensors: ReadonlyMap<string, Tensor>): Record<string, readonly number[]> =>
    Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]));

  it("knows the names that PyTorch's wrappers give", () => {
    for (const prefix of ['module.', '_orig_mod.']) {
      const wrapped = new Map([...state].map(([name, tensor]) => [prefix + name, tensor]));
      expect(shapes(applyPlanToTensors(plan, wrapped))).toMatchObject({
        [`${prefix}conv2.weight`]: [8, 3, 3, 3],
        [`${prefix}fc1.weight`]: [60, 8 * 36],
        [`${prefix}fc3.bias`]: [10],
      });
    }
  });

  it('leaves what is given as it was, and what the plan does not name', () => {
    const extra = Tensor.zeros('float32', [16]);
    const given = new Map([...state, ['bn.weight', extra], ['step', Tensor.zeros('int64', [])]]);
    const cut = applyPlanToTensors(plan, given);
    expect(given.get('conv1.weight')!.shape).toEqual([6, 1, 3, 3]);
    expect(cut.get('bn.weight')).toBe(extra);
    // 16 is what conv2 made; nothing else of these sizes is left.
    expect(untouchedBy(plan, given)).toEqual(['bn.weight']);
    expect(untouchedBy(plan, state)).toEqual([]);
  });

  it('finds the axes of a linear weight that lies the other way round', () => {
    const builder = new GraphBuilder();
    const generator = new Generator(5);
    const x = builder.input('x', 'float32', [1, 6]);
    const weights = [noise(generator, [6, 6]), noise(generator, [6, 4])];
    let y = x;
    weights.forEach((weight, index) => {
      y = builder.op('MatMul', [y, builder.constant(weight, `onnx::MatMul_${index}`)], {
        name: `/fc${index}/MatMul`,
      });
    });
    builder.graph.addOutput(y);
    const groups = grouped(builder.graph);
    const made = planOf(groups);
    expect(made.groups[0]!.members).toMatchObject([
      { parameter: 'fc0.weight', shape: [6, 6], axis: 1, transposed: true },
      { parameter: 'fc1.weight', shape: [6, 4], axis: 0, transposed: true },
    ]);
    const flipped = (tensor: Tensor): Tensor => {
      const [rows, columns] = tensor.shape as [number, number];
      const data = tensor.float32;
      return Tensor.of(
        Float32Array.from(
          { length: rows * columns },
          (_, at) => data[(at % rows) * columns + Math.floor(at / rows)]!,
        ),
        [columns, rows],
      );
    };
    const torch = new Map(weights.map((weight, index) => [`fc${index}.weight`, flipped(weight)]));
    const cut = applyPlanToTensors(made, torch);
    expect(shapes(cut)).toEqual({ 'fc0.weight': [3, 6], 'fc1.weight': [4, 3] });
    const graph = fromGraph(cutChannels(groups, removedBy(made, groups)).graph).stateDict();
    for (const [name, tensor] of cut) expect(sameBytes(flipped(tensor), graph.get(name)!)).toBe(true);
  });

  it('refuses tensors that do not fit, by name', () => {
    const fewer = new Map(state);
    fewer.delete('fc1.bias');
    fewer.delete('conv1.weight');
    expect(() => applyPlanToTensors(plan, fewer)).toThrow(StateDictError);
    expect(() => applyPlanToTensors(plan, fewer)).toThrow(
      /cuts parameters that the tensors do not have: "conv1\.weight", "fc1\.bias"\. The tensors are of another model/,
    );
    const again = applyPlanToTensors(plan, state);
    expect(() => applyPlanToTensors(plan, again)).toThrow(ArgumentError);
    expect(() => applyPlanToTensors(plan, again)).toThrow(
      /'conv1\.weight' is \[3, 1, 3, 3\] among the tensors and was \[6, 1, 3, 3\] when the plan was made/,
    );
    const changed = edited(plan, 'fc1', (group) => ({ ...group, remove: [1] }));
    expect(() => applyPlanToTensors(changed, state)).toThrow(
      /'remove' of group 'fc1' was edited, its members were not brought after it; apply the plan to the model first/,
    );
  });

  it('refuses parts that would keep different numbers', () => {
    const made = planOf(grouped(groupedNet()));
    const uneven = edited(made, 'a', (group) => ({
      ...group,
      members: group.members.map((member) =>
        member.parts ? { ...member, remove: member.remove.slice(1) } : member,
      ),
    }));
    const tensors = fromGraph(groupedNet()).stateDict();
    expect(() => applyPlanToTensors(uneven, tensors)).toThrow(
      /'b\.weight' would keep 3 channels in part 1 and 4 in others; each part must lose equally many/,
    );
  });
});

describe('parsePlan', () => {
  const plan = planOf(lenet);
  /** The plan with something else at a path. */
  function withAt(path: readonly (string | number)[], value: unknown): unknown {
    const copy = JSON.parse(JSON.stringify(plan)) as Record<string | number, unknown>;
    let at = copy;
    for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
    const last = path.at(-1)!;
    if (value === undefined) delete at[last];
    else at[last] = value;
    return copy;
  }

  it.each<[readonly (string | number)[], unknown, string]>([
    [['format'], 'secateur-plan/2', "format must be 'secateur-plan/1', got 'secateur-plan/2'"],
    [['format'], undefined, 'format must be given, got nothing'],
    [['groups'], undefined, 'groups must be given, got nothing'],
    [['groups'], {}, 'groups must be an array, got an object'],
    [['heads'], 'none', "heads must be one of 'width', 'whole', got 'none'"],
    [['model', 'macs'], 5, 'model.macs must be an object, got 5'],
    [['model', 'macs', 'after'], 'few', "model.macs.after must be a number, got 'few'"],
    [['model', 'inputs', 'input', 1], -1, 'model.inputs.input[1] must be a whole number >= 0, got -1'],
    [['groups', 1, 'remove', 0], 1.5, 'groups[1].remove[0] must be a whole number >= 0, got 1.5'],
    [['groups', 1, 'remove'], [3, 1, 3], 'groups[1].remove must be a list of different indices, got 3 twice'],
    [
      ['groups', 0, 'removed'],
      [1],
      'groups[0].removed must be left out (fields here: name, layers, channels, remove, why, members), got an array of 1',
    ],
    [['groups', 0, 'name'], null, 'groups[0].name must be a string, got null'],
    [
      ['groups', 0, 'members', 0, 'axis'],
      4,
      'groups[0].members[0].axis must be a whole number from 0 to 3, got 4',
    ],
    [
      ['groups', 0, 'members', 0, 'transposed'],
      1,
      'groups[0].members[0].transposed must be true or false, got 1',
    ],
    [
      ['groups', 0, 'members', 0, 'parts'],
      { along: 0, count: 4 },
      'groups[0].members[0].parts.count must be a divisor of 6, got 4',
    ],
    [['kept', 0, 'why'], undefined, 'kept[0].why must be given, got nothing'],
  ])('refuses %j: %j', (path, value, message) => {
    expect(() => parsePlan(withAt(path, value))).toThrow(ArgumentError);
    expect(() => parsePlan(withAt(path, value))).toThrow(`plan: ${message}`);
  });

  it('refuses what is no JSON, or no object', () => {
    expect(() => parsePlan('{')).toThrow(/plan: expected JSON \(/);
    expect(() => parsePlan('[]')).toThrow('plan: it must be an object, got an array of 0');
  });

  it('puts indices in order', () => {
    const parsed = parsePlan(withAt(['groups', 2, 'remove'], [9, 1, 4]));
    expect(parsed.groups[2]!.remove).toEqual([1, 4, 9]);
  });
});
