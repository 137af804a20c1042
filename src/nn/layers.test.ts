import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../core/tensor.ts';
import { parseSafetensors } from '../io/index.ts';
import type { Dim } from '../ir/index.ts';
import { createSession } from '../runtime/index.ts';
import * as nn from './index.ts';

/** One layer as PyTorch has it; made by testdata/generate.py. */
interface Case {
  readonly layer: string;
  readonly args: readonly unknown[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly training: boolean;
  readonly repr: string;
  readonly init: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly updated?: Readonly<Record<string, string>>;
}

const read = (name: string): Buffer => readFileSync(new URL(`testdata/${name}`, import.meta.url));
const { cases } = JSON.parse(read('layers.json').toString()) as { cases: Case[] };
const { tensors } = parseSafetensors(read('layers.safetensors'));

function tensor(name: string): Tensor {
  const found = tensors.get(name);
  if (!found) throw new Error(`layers.safetensors lacks ${name}`);
  return found;
}

function make({ layer, args, options }: Case): nn.AnyModule {
  const found: unknown = Object.entries(nn).find(([name]) => name === layer)?.[1];
  if (typeof found !== 'function') throw new Error(`no layer is named ${layer}`);
  const given = Object.keys(options).length > 0 ? [...args, options] : args;
  const module: unknown = Reflect.construct(found, given);
  if (module instanceof nn.Module) return module;
  throw new Error(`${layer} is no layer`);
}

/** The names are the state dict's, in order. */
function expectState(state: ReadonlyMap<string, Tensor>, wanted: Case['init']): void {
  expect([...state.keys()]).toEqual(Object.keys(wanted));
  for (const [name, own] of state) {
    const golden = tensor(wanted[name]!);
    expect(own.dtype).toBe(golden.dtype);
    expect(own.shape).toEqual(golden.shape);
    expect(own.data).toEqual(golden.data);
  }
}

function expectClose(own: Tensor, wanted: Tensor): void {
  expect(own.shape).toEqual(wanted.shape);
  if (own.dtype !== 'float32') {
    expect(own.data).toEqual(wanted.data);
    return;
  }
  const far = [...own.float32].filter((value, i) => !(Math.abs(value - wanted.float32[i]!) < 1e-5));
  expect(far).toEqual([]);
}

const title = ({ layer, args, options, training }: Case): string =>
  `${layer}(${[...args, options].map((value) => JSON.stringify(value)).join(', ')})${training ? ' in training' : ''}`;

describe.each(cases.map((golden): [string, Case] => [title(golden), golden]))('%s', (_, golden) => {
  it('starts as in PyTorch and prints as in PyTorch', () => {
    nn.manualSeed(golden.seed);
    const module = make(golden);
    expectState(module.stateDict(), golden.init);
    expect(module.toString()).toBe(golden.repr);
  });

  it('computes what PyTorch computes', async () => {
    const module = make(golden).train(golden.training);
    module.loadStateDict(new Map(Object.entries(golden.state).map(([name, key]) => [name, tensor(key)])));
    const inputs = golden.inputs.map(tensor);
    const { graph, updates } = nn.traceDetailed(module, inputs);
    expect(graph.lint()).toEqual([]);
    const session = await createSession(graph, { taps: updates.map(({ value }) => value) });
    const results = await session.run(
      Object.fromEntries(graph.feeds.map(({ name }, i) => [name, inputs[i]!])),
    );
    await session.dispose();
    golden.outputs.forEach((name, i) => {
      expectClose(results.get(graph.outputs[i]!.name)!, tensor(name));
    });
    const buffers = new Map(module.namedBuffers());
    const updated = Object.entries(golden.updated ?? {}).filter(([name]) => buffers.has(name));
    if (golden.training) expect(updates.length).toBe(updated.length);
    for (const [name, key] of updated) {
      const update = updates.find(({ buffer }) => buffer === buffers.get(name));
      expectClose(results.get(update!.value.name)!, tensor(key));
    }
  });

  it.skipIf(golden.layer === 'MultiheadAttention' && !golden.options.batchFirst)(
    'takes a batch of any size (skipped where the batch is not the first axis)',
    async () => {
      const module = make(golden).eval();
      module.loadStateDict(new Map(Object.entries(golden.state).map(([name, key]) => [name, tensor(key)])));
      const inputs = golden.inputs.map(tensor);
      const specs = inputs.map(({ dtype, shape }) => ({
        dtype,
        shape: shape.map((dim, axis): Dim => (axis === 0 ? 'batch' : dim)),
      }));
      const graph = nn.trace(module, specs);
      expect(graph.lint()).toEqual([]);
      const session = await createSession(graph);
      const feeds = Object.fromEntries(graph.feeds.map(({ name }, i) => [name, inputs[i]!]));
      const [output] = (await session.run(feeds)).values();
      await session.dispose();
      expect(output!.shape).toEqual(tensor(golden.outputs[0]!).shape);
    },
  );
});
