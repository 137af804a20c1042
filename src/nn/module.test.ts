import { describe, expect, it } from 'vitest';
import { ArgumentError, StateDictError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import * as nn from './index.ts';
import { F, Module, Parameter, type Variable } from './index.ts';

/** A network with two layers, a buffer, and a parameter of its own. */
class Net extends Module {
  conv = new nn.Conv2d(1, 2, 3);
  scale: Parameter | null = new Parameter(Tensor.full([1], 2));
  head: nn.Linear | null = new nn.Linear(4, 3);

  constructor() {
    super();
    this.registerBuffer('seen', Tensor.int64(0));
    this.registerBuffer('scratch', Tensor.full([1], 0), { persistent: false });
  }

  override forward(x: Variable): Variable {
    const y = this.conv.call(x).flatten(1);
    return this.head ? this.head.call(y) : y;
  }
}

const method = (tensorName: string): nn.MaskMethod => ({ tensorName });
const names = (entries: Iterable<[string, unknown]>): string[] => [...entries].map(([name]) => name);
const ones = (parameter: Parameter): Tensor => Tensor.full(parameter.shape, 1);

describe('names', () => {
  it('lists parameters of a module before those of its children, in the order of properties', () => {
    const net = new Net();
    expect(names(net.namedParameters())).toEqual([
      'scale',
      'conv.weight',
      'conv.bias',
      'head.weight',
      'head.bias',
    ]);
    expect(names(net.namedParameters('net', { recurse: false }))).toEqual(['net.scale']);
    expect(names(net.namedModules())).toEqual(['', 'conv', 'head']);
    expect(names(net.namedChildren())).toEqual(['conv', 'head']);
    expect(names(net.namedBuffers())).toEqual(['seen', 'scratch']);
    expect([...net.stateDict().keys()]).toEqual([
      'scale',
      'seen',
      'conv.weight',
      'conv.bias',
      'head.weight',
      'head.bias',
    ]);
    expect([...net.stateDict('net').keys()][0]).toBe('net.scale');
  });

  it('follows properties that are replaced, emptied and deleted', () => {
    const net = new Net();
    const conv = new nn.Conv2d(1, 2, 3, { bias: false });
    net.conv = conv;
    expect(net.getSubmodule('conv')).toBe(conv);
    expect(names(net.namedChildren())).toEqual(['conv', 'head']);
    net.head = null;
    expect(names(net.namedChildren())).toEqual(['conv']);
    net.scale = null;
    expect(names(net.namedParameters())).toEqual(['conv.weight']);
    const late = new Parameter(Tensor.full([1], 1));
    net.scale = late;
    expect(net.getParameter('scale')).toBe(late);
    Reflect.deleteProperty(net, 'scale');
    expect(net.hasParameter('scale')).toBe(false);
  });

  it('forgets the mask of a pruned parameter that is replaced or emptied', () => {
    for (const next of [new Parameter(Tensor.full([2, 4], 1)), null]) {
      const net = new nn.Linear(4, 2);
      net.setPruning('bias', method('bias'), ones(net.getParameter('bias')));
      net.setPruning('weight', method('weight'), ones(net.weight));
      expect(names(net.namedBuffers('', { recurse: false }))).toEqual(['bias_mask', 'weight_mask']);
      if (next) net.weight = next;
      else net.bias = null;
      const gone = next ? 'weight_mask' : 'bias_mask';
      expect(names(net.namedBuffers('', { recurse: false }))).not.toContain(gone);
      expect([...net.stateDict().keys()]).not.toContain(gone);
    }
  });

  it('lists what is shared once, and saves it under each name', () => {
    const shared = new nn.Linear(2, 2);
    const net = new nn.Sequential(shared, new nn.ReLU(), shared);
    expect(names(net.namedModules())).toEqual(['', '0', '1']);
    expect(names(net.namedParameters())).toEqual(['0.weight', '0.bias']);
    const dict = net.stateDict();
    expect([...dict.keys()]).toEqual(['0.weight', '0.bias', '2.weight', '2.bias']);
    expect(dict.get('2.weight')).toBe(dict.get('0.weight'));
  });

  it('moves a pruned parameter to the end as PyTorch does, and back to its name when pruning is removed', () => {
    const layer = new nn.Linear(3, 2);
    layer.setPruning('weight', method('weight'), ones(layer.weight));
    expect(names(layer.namedParameters())).toEqual(['bias', 'weight_orig']);
    expect(names(layer.namedBuffers())).toEqual(['weight_mask']);
    expect([...layer.stateDict().keys()]).toEqual(['bias', 'weight_orig', 'weight_mask']);
    layer.setPruning('bias', method('bias'), Tensor.full([2], 1));
    expect(names(layer.namedParameters())).toEqual(['weight_orig', 'bias_orig']);
    layer.removePruning('weight');
    expect(names(layer.namedParameters())).toEqual(['bias_orig', 'weight']);
    expect(names(layer.namedBuffers())).toEqual(['bias_mask']);
  });

  it('refuses names that cannot be, and says what is missing', () => {
    const net = new Net();
    expect(() => net.registerBuffer('', null)).toThrow(new ArgumentError("Net: the name '' is empty"));
    expect(() => net.registerModule('a.b', new nn.ReLU())).toThrow("Net: the name 'a.b' contains '.'");
    expect(() => net.registerBuffer('conv', null)).toThrow("Net: the name 'conv' is taken");
    expect(() => net.getSubmodule('conv.x')).toThrow("Net: has no submodule 'conv.x' ('x' is missing)");
    expect(() => net.getParameter('conv.w')).toThrow(
      "Conv2d: has no parameter 'conv.w'; it has 'weight', 'bias'",
    );
    expect(() => net.getBuffer('conv.mean')).toThrow("Conv2d: has no buffer 'conv.mean'");
    expect(() => net.setPruning('w', method('w'), Tensor.full([1], 1))).toThrow(
      "Net: has no parameter 'w' of its own",
    );
    expect(() => net.conv.setPruning('weight', method('weight'), Tensor.full([1], 1))).toThrow(
      "Parameter 'weight': mask must be float32[2, 1, 3, 3], got float32[1]",
    );
    expect(names(net.conv.namedParameters())).toEqual(['weight', 'bias']);
  });
});

describe('loadStateDict', () => {
  it('copies elements, converts dtypes, and keeps the tensors', () => {
    const layer = new nn.Linear(2, 1);
    const weight = layer.weight.data;
    const half = new Tensor('float16', [1, 2], Uint16Array.of(0x3c00, 0xc000));
    layer.loadStateDict({ weight: half, bias: new Tensor('float64', [1], Float64Array.of(0.5)) });
    expect(layer.weight.data).toBe(weight);
    expect([...weight.float32]).toEqual([1, -2]);
    expect([...layer.bias!.data.float32]).toEqual([0.5]);
  });

  it('puts loaded originals behind loaded masks', () => {
    const layer = new nn.Linear(2, 1, { bias: false });
    layer.setPruning('weight', method('weight'), ones(layer.weight));
    layer.loadStateDict({
      weight_orig: Tensor.of(Float32Array.of(3, 4), [1, 2]),
      weight_mask: Tensor.of(Float32Array.of(0, 1), [1, 2]),
    });
    expect([...layer.weight.data.float32]).toEqual([0, 4]);
    expect([...layer.weight.orig.float32]).toEqual([3, 4]);
  });

  it("throws PyTorch's sentences for all that does not match, and changes nothing then", () => {
    const layer = new nn.Linear(2, 1);
    const before = layer.bias!.data.float32.slice();
    const load = (): unknown =>
      layer.loadStateDict({ bias: Tensor.full([1], 9), extra: Tensor.full([1], 0) });
    expect(load).toThrow(StateDictError);
    expect(load).toThrow(
      'Error(s) in loading state_dict for Linear:\n\tUnexpected key(s) in state_dict: "extra".\n\tMissing key(s) in state_dict: "weight".',
    );
    const wrongShape = { weight: Tensor.full([2, 1], 0), bias: Tensor.full([1], 9) };
    expect(() => layer.loadStateDict(wrongShape)).toThrow(
      'size mismatch for weight: copying a param with shape [2, 1] from the state dict, the shape in the current model is [1, 2].',
    );
    expect(layer.bias!.data.float32).toEqual(before);
  });

  it("leaves batch norm's counter where a file from before it has statistics alone, as PyTorch", () => {
    const norm = new nn.Sequential(new nn.BatchNorm2d(1));
    norm.stateDict().get('0.num_batches_tracked')!.setData(BigInt64Array.of(5n));
    const old = new Map([...norm.stateDict()].filter(([name]) => !name.endsWith('tracked')));
    old.set('0.running_mean', Tensor.full([1], 3));
    expect(norm.loadStateDict(old)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(norm.stateDict().get('0.running_mean')!.toNumbers()).toEqual([3]);
    expect(norm.stateDict().get('0.num_batches_tracked')!.toNumbers()).toEqual([5]);
    old.delete('0.running_mean');
    expect(() => norm.loadStateDict(old)).toThrow(
      'Missing key(s) in state_dict: "0.running_mean", "0.num_batches_tracked".',
    );
  });

  it('takes what fits where it is not strict, and says what did not', () => {
    const layer = new nn.Linear(2, 1);
    const result = layer.loadStateDict(
      { bias: Tensor.full([1], 9), extra: Tensor.full([1], 0) },
      { strict: false },
    );
    expect(result).toEqual({ missingKeys: ['weight'], unexpectedKeys: ['extra'] });
    expect([...layer.bias!.data.float32]).toEqual([9]);
  });
});

describe('modes, hooks and printing', () => {
  it('sets training and evaluation everywhere', () => {
    const net = new Net();
    expect(net.training).toBe(true);
    expect(net.eval()).toBe(net);
    expect([...net.modules()].map(({ training }) => training)).toEqual([false, false, false]);
    net.train();
    expect([...net.modules()].every(({ training }) => training)).toBe(true);
    net.requiresGrad_(false);
    expect([...net.parameters()].some(({ requiresGrad }) => requiresGrad)).toBe(false);
  });

  it('applies a function to children first', () => {
    const seen: string[] = [];
    new Net().apply((module) => seen.push(module.typeName));
    expect(seen).toEqual(['Conv2d', 'Linear', 'Net']);
  });

  it('runs hooks around forward, lets them replace, and takes them out again', () => {
    const net = new nn.Sequential(new nn.Identity(), new nn.Identity());
    const calls: string[] = [];
    const first = net.at(0);
    const pre = first.registerForwardPreHook((module, inputs) => {
      calls.push(`pre ${module.typeName}`);
      return inputs.map((input) => F.neg(input));
    });
    const post = first.registerForwardHook((_, inputs, output) => {
      calls.push(`post ${inputs.length}`);
      return output instanceof nn.Variable ? F.abs(output) : undefined;
    });
    const operators = (): string[] => nn.trace(net, [1]).nodes.map(({ opType }) => opType);
    expect(operators()).toEqual(['Neg', 'Abs']);
    expect(calls).toEqual(['pre Identity', 'post 1']);
    pre.remove();
    expect(operators()).toEqual(['Abs']);
    post.remove();
    expect(operators()).toEqual(['Identity']);
  });

  it('prints as PyTorch prints', () => {
    expect(new Net().toString()).toBe(
      [
        'Net(',
        '  (conv): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))',
        '  (head): Linear(in_features=4, out_features=3, bias=True)',
        ')',
      ].join('\n'),
    );
    expect(new nn.Sequential(new nn.Sequential(new nn.ReLU())).toString()).toBe(
      'Sequential(\n  (0): Sequential(\n    (0): ReLU()\n  )\n)',
    );
  });

  it('refuses a call without inputs, and of a module that is no part of the one traced', () => {
    const stray = new nn.ReLU();
    class Caller extends Module {
      override forward(x: Variable): Variable {
        return [stray][0]!.call(x);
      }
    }
    expect(() => stray.call()).toThrow('ReLU: call expects at least one Variable');
    expect(() => nn.trace(new Caller(), [1])).toThrow(
      'ReLU: is called in a forward but is no submodule of the module being traced; make it a property',
    );
  });
});

describe('containers', () => {
  it('gives modules by index and name, and adds at the end', () => {
    const list = new nn.ModuleList([new nn.ReLU(), new nn.Tanh()]).append(new nn.SiLU());
    expect(list.length).toBe(3);
    expect(list.at(-1).typeName).toBe('SiLU');
    expect([...list].map(({ typeName }) => typeName)).toEqual(['ReLU', 'Tanh', 'SiLU']);
    expect(() => list.at(3)).toThrow('ModuleList: has no module 3; it has 3');
    const named = new nn.Sequential({ act: new nn.ReLU(), out: new nn.Linear(1, 1) });
    expect(names(named.namedParameters())).toEqual(['out.weight', 'out.bias']);
    const dict = new nn.ModuleDict({ a: new nn.ReLU() }).set('b', new nn.Tanh());
    expect([...dict.keys()]).toEqual(['a', 'b']);
    expect(dict.get('b').typeName).toBe('Tanh');
    expect(() => dict.forward()).toThrow('ModuleDict: has no forward; call its modules');
    expect(() => list.forward()).toThrow('ModuleList: has no forward; call its modules');
  });
});
