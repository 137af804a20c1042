import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../core/tensor.ts';
import { parseSafetensors } from '../io/index.ts';
import { LeNet5 } from '../models/lenet5.ts';
import { createSession } from '../runtime/index.ts';
import * as nn from './index.ts';

const FOLDER = new URL('../../../shared/golden/pytorch/', import.meta.url);

interface Case {
  readonly kind: string;
  readonly seed: number;
  readonly layer: string;
  readonly args: Readonly<Record<string, number | boolean>>;
  readonly state: Readonly<Record<string, string>>;
  readonly input: string;
  readonly output: string;
}

const present = existsSync(FOLDER);
const read = (): { cases: Case[]; tensors: ReadonlyMap<string, Tensor> } => ({
  cases: (JSON.parse(readFileSync(new URL('cases.json', FOLDER), 'utf8')) as { cases: Case[] }).cases,
  tensors: parseSafetensors(readFileSync(new URL('tensors.safetensors', FOLDER))).tensors,
});

const make = (layer: string, args: Case['args']): nn.Module => {
  const n = (name: string): number => Number(args[name]);
  const { bias, groups, stride } = args;
  const options = {
    ...(typeof bias === 'boolean' ? { bias } : {}),
    ...(typeof groups === 'number' ? { groups } : {}),
    ...(typeof stride === 'number' ? { stride } : {}),
  };
  switch (layer) {
    case 'Conv2d':
      return new nn.Conv2d(n('in_channels'), n('out_channels'), n('kernel_size'), options);
    case 'ConvTranspose2d':
      return new nn.ConvTranspose2d(n('in_channels'), n('out_channels'), n('kernel_size'), options);
    case 'Linear':
      return new nn.Linear(n('in_features'), n('out_features'), options);
    case 'BatchNorm2d':
      return new nn.BatchNorm2d(n('num_features'));
    default:
      throw new Error(`no such layer: ${layer}`);
  }
};

function expectState(module: nn.AnyModule, golden: Case, tensors: ReadonlyMap<string, Tensor>): void {
  const state = module.stateDict();
  expect([...state.keys()]).toEqual(Object.keys(golden.state));
  for (const [name, tensor] of state) {
    const wanted = tensors.get(golden.state[name]!)!;
    expect(tensor.shape).toEqual(wanted.shape);
    expect(tensor.data).toEqual(wanted.data);
  }
}

/** Why: `shared/golden` lies beside the checkout, and not everywhere. */
describe.skipIf(!present)('golden results of PyTorch (skipped where ../shared/golden is absent)', () => {
  it('starts layers with the same bytes', () => {
    const { cases, tensors } = read();
    const own = cases.filter(({ kind }) => kind === 'init');
    expect(own.length).toBeGreaterThan(0);
    for (const golden of own) {
      nn.manualSeed(golden.seed);
      expectState(make(golden.layer, golden.args), golden, tensors);
    }
  });

  it('computes LeNet-5', async () => {
    const { cases, tensors } = read();
    const golden = cases.find(({ kind }) => kind === 'lenet5_forward')!;
    nn.manualSeed(golden.seed);
    const model = new LeNet5().eval();
    expectState(model, golden, tensors);
    for (const batch of ['batch', 4]) {
      const session = await createSession(nn.trace(model, [batch, 1, 32, 32]));
      const output = (await session.run({ input: tensors.get(golden.input)! })).get('output')!;
      await session.dispose();
      const wanted = tensors.get(golden.output)!;
      expect(output.shape).toEqual(wanted.shape);
      const difference = output.float32.map((value, i) => Math.abs(value - wanted.float32[i]!));
      expect(Math.max(...difference)).toBeLessThan(1e-5);
    }
  });
});
