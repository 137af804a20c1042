// @ts-check
/**
 * Runs the cases of a folder that `shared/golden/generate.py` made against the library: masks and random numbers byte for byte, LeNet-5's
 * output within 1e-5, gradients and training within 1e-4. `scripts/golden.mjs` runs it on the built library, a test on the sources.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TrainingCases } from './training-cases.mjs';

/** @typedef {typeof import('../../src/index.ts')} Library The package's main entry. */
/** @typedef {import('../../src/index.ts').Tensor} Tensor */
/** @typedef {import('../../src/nn/index.ts').AnyModule} AnyModule */
/** @typedef {import('../../src/prune/index.ts').Amount} Amount */
/** @typedef {{ count: number } | { fraction: number }} AmountEntry */
/**
 * @typedef {object} Call A pruning call as a case describes it.
 * @property {string} fn
 * @property {AmountEntry} [amount]
 * @property {number} [dim]
 * @property {number | string} [n]
 * @property {string} [mask]
 */
/**
 * @typedef {Call & {
 *   kind: string, seed: number, model_seed: number, shape: number[], message: string, error: string, layer: string, method: string,
 *   args: Record<string, unknown>, state: Record<string, string>, masks: Record<string, string>, steps: Call[], of: number, out: string | string[],
 *   input: string, output: string, weight: string, scores: string, bias: string, bias_amount: AmountEntry, bias_mask: string, hooks: number,
 *   hook_class: string, parameters: string[], buffers: string[], state_keys: string[], is_pruned: boolean, conv1_parameters: string[], conv1_buffers: string[]
 * }} Case A case of cases.json; which fields it has depends on its kind.
 */
/** @typedef {{ kind: string, index: number, label: string, problem: string }} Failure */
/** @typedef {{ passed: number, failures: Failure[] }} Results */

/** How far LeNet-5's output may lie from PyTorch's. */
const TOLERANCE = 1e-5;

/** What a case found wrong. */
class Mismatch extends Error {}

/** @param {string} what @param {string} wanted @param {string} found @returns {never} */
const differ = (what, wanted, found) => {
  throw new Mismatch(`${what}: expected ${wanted}, got ${found}`);
};

/**
 * Throws Mismatch where the elements are not the same bytes.
 * @param {string} what
 * @param {ArrayLike<number | bigint>} found
 * @param {Tensor} wanted
 */
function sameElements(what, found, wanted) {
  const { data } = wanted;
  if (found.length !== data.length) differ(what, `${data.length} elements`, `${found.length}`);
  for (let i = 0; i < data.length; i++) {
    // Object.is: 0 and -0 are different bytes, NaN and NaN are the same.
    if (!Object.is(Number(found[i]), Number(data[i])))
      differ(`${what}, element ${i}`, String(data[i]), String(found[i]));
  }
}

/** @param {string} what @param {Iterable<string>} found @param {Iterable<string>} wanted */
function sameNames(what, found, wanted) {
  const [a, b] = [[...found].join(', '), [...wanted].join(', ')];
  if (a !== b) differ(what, b, a);
}

/** @param {AmountEntry | undefined} amount @returns {Amount} */
function amountOf(amount) {
  if (!amount) throw new Mismatch('the case names no amount');
  return 'count' in amount ? { count: amount.count } : amount.fraction;
}

/** Runs cases of one folder; each kind is a method. */
class Runner {
  /** @param {Library} library @param {ReadonlyMap<string, Tensor>} tensors @param {readonly Case[]} cases */
  constructor(library, tensors, cases) {
    this.library = library;
    this.tensors = tensors;
    this.cases = cases;
    const training = new TrainingCases(library, (name) => this.tensor(name));
    /** @type {Readonly<Record<string, (golden: Case) => void | Promise<void>>>} */
    this.kinds = {
      rand: (golden) => this.random(golden, (generator, n) => [generator.rand(n)]),
      randn: (golden) => this.random(golden, (generator, n) => [generator.randn(n)]),
      randperm: (golden) => this.random(golden, (generator, n) => [generator.randperm(n)]),
      rand_then_randn_then_rand: (golden) =>
        this.random(golden, (generator, n) => [generator.rand(n), generator.randn(n), generator.rand(3)]),
      init: (golden) => this.init(golden),
      lenet5_forward: (golden) => this.lenet5Forward(golden),
      mask: (golden) => this.mask(golden),
      mask_error: (golden) => this.maskError(golden),
      importance_scores: (golden) => this.importanceScores(golden),
      iterated: (golden) => this.iterated(golden),
      removed: (golden) => this.removed(golden),
      recipe_local: (golden) => this.recipeLocal(golden),
      recipe_iterative: (golden) => this.recipeIterative(golden),
      recipe_global: (golden) => this.recipeGlobal(golden, [golden]),
      recipe_global_twice: (golden) =>
        this.recipeGlobal({ ...golden, method: 'L1Unstructured' }, [golden, golden]),
      recipe_custom: (golden) => this.recipeCustom(golden),
      grad: (golden) => training.grad(/** @type {never} */ (golden)),
      train: (golden) => training.train(/** @type {never} */ (golden)),
      schedule: (golden) => training.schedule(/** @type {never} */ (golden)),
    };
  }

  /** @param {string} name */
  tensor(name) {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Mismatch(`tensors.safetensors has no '${name}'`);
    return tensor;
  }

  /** @param {AnyModule} module @param {Readonly<Record<string, string>>} masks */
  sameMasks(module, masks) {
    const found = new Map([...module.namedBuffers()].filter(([name]) => name.endsWith('_mask')));
    sameNames('masks', found.keys(), Object.keys(masks));
    for (const [name, tensor] of found) sameElements(name, tensor.data, this.tensor(masks[name] ?? ''));
  }

  /**
   * A layer with the weight of a case: a convolution for four axes, a linear layer for two.
   * @param {Tensor} weight
   */
  layerWith(weight) {
    const { nn } = this.library;
    const [outputs = 1, inputs = 1, ...kernel] = weight.shape;
    const layer = kernel.length > 0 ? new nn.Conv2d(inputs, outputs, kernel) : new nn.Linear(inputs, outputs);
    layer.getParameter('weight').data.setData(weight.float32.slice());
    return layer;
  }

  /**
   * One of PyTorch's functions on a parameter.
   * @param {AnyModule} module
   * @param {Call} call
   */
  call(module, call) {
    const { prune } = this.library;
    const { dim = -1 } = call;
    switch (call.fn) {
      case 'identity':
        return prune.identity(module, 'weight');
      case 'random_unstructured':
        return prune.randomUnstructured(module, 'weight', amountOf(call.amount));
      case 'l1_unstructured':
        return prune.l1Unstructured(module, 'weight', amountOf(call.amount));
      case 'random_structured':
        return prune.randomStructured(module, 'weight', amountOf(call.amount), { dim });
      case 'ln_structured':
        return prune.lnStructured(module, 'weight', amountOf(call.amount), { n: normOf(call.n), dim });
      default:
        throw new Mismatch(`no pruning function is named '${call.fn}'`);
    }
  }

  /**
   * @param {Case & { n?: number | string }} golden
   * @param {(generator: import('../../src/index.ts').Generator, n: number) => ArrayLike<number>[]} draw
   */
  random(golden, draw) {
    const drawn = draw(this.library.manualSeed(golden.seed), Number(golden.n));
    const names = typeof golden.out === 'string' ? [golden.out] : golden.out;
    if (names.length !== drawn.length) differ('draws', String(drawn.length), String(names.length));
    for (const [index, name] of names.entries()) sameElements(name, drawn[index] ?? [], this.tensor(name));
  }

  /** @param {Case} golden */
  layerOf({ layer, args }) {
    const { nn } = this.library;
    const {
      in_channels: inChannels,
      out_channels: outChannels,
      kernel_size: kernelSize,
      in_features: inFeatures,
      out_features: outFeatures,
      num_features: features,
      ...options
    } = args;
    switch (layer) {
      case 'Conv2d':
        return new nn.Conv2d(Number(inChannels), Number(outChannels), Number(kernelSize), options);
      case 'ConvTranspose2d':
        return new nn.ConvTranspose2d(Number(inChannels), Number(outChannels), Number(kernelSize), options);
      case 'Linear':
        return new nn.Linear(Number(inFeatures), Number(outFeatures), options);
      case 'BatchNorm2d':
        return new nn.BatchNorm2d(Number(features), options);
      default:
        throw new Mismatch(`no layer is named '${layer}'`);
    }
  }

  /** @param {AnyModule} module @param {Readonly<Record<string, string>>} state */
  sameState(module, state) {
    const own = module.stateDict();
    sameNames('state dict', own.keys(), Object.keys(state));
    for (const [name, tensor] of own) sameElements(name, tensor.data, this.tensor(state[name] ?? ''));
  }

  /** @param {Case} golden */
  init(golden) {
    this.library.manualSeed(golden.seed);
    this.sameState(this.layerOf(golden), golden.state);
  }

  /** @param {number} seed */
  lenet(seed) {
    this.library.manualSeed(seed);
    return new this.library.models.LeNet5();
  }

  /** @param {Case} golden */
  async lenet5Forward(golden) {
    const { nn, runtime } = this.library;
    const model = this.lenet(golden.seed).eval();
    this.sameState(model, golden.state);
    const input = this.tensor(golden.input);
    const session = await runtime.createSession(nn.trace(model, input.shape));
    const name = session.inputs[0]?.name ?? '';
    const [output] = [...(await session.run({ [name]: input })).values()];
    await session.dispose();
    const wanted = this.tensor(golden.output).float32;
    const found = output?.float32 ?? new Float32Array(0);
    if (found.length !== wanted.length) differ('output', `${wanted.length} elements`, `${found.length}`);
    wanted.forEach((value, i) => {
      if (!(Math.abs(value - (found[i] ?? Number.NaN)) <= TOLERANCE))
        differ(`output, element ${i}`, `${value} within ${TOLERANCE}`, String(found[i]));
    });
  }

  /** @param {Case} golden */
  mask(golden) {
    const layer = this.layerWith(this.tensor(golden.weight));
    this.library.manualSeed(golden.seed);
    this.call(layer, golden);
    sameElements('weight_mask', layer.getBuffer('weight_mask').data, this.tensor(golden.mask ?? ''));
  }

  /**
   * The error must be an ArgumentError (PyTorch's ValueError, IndexError, …) that names the same numbers.
   * @param {Case} golden
   */
  maskError(golden) {
    const layer = this.layerWith(this.library.Tensor.zeros('float32', golden.shape));
    this.library.manualSeed(golden.seed);
    const before = [...layer.stateDict().keys()];
    try {
      this.call(layer, golden);
    } catch (error) {
      if (!(error instanceof this.library.ArgumentError)) throw error;
      sameNames('numbers of the message', numbersIn(error.message), numbersIn(golden.message));
      sameNames('state dict after the error', layer.stateDict().keys(), before);
      return;
    }
    differ('error', `${golden.error}: ${golden.message}`, 'none');
  }

  /** @param {Case} golden */
  importanceScores(golden) {
    const { prune } = this.library;
    const layer = this.layerWith(this.tensor(golden.weight));
    layer.getParameter('bias').data.setData(this.tensor(golden.bias).float32.slice());
    prune.l1Unstructured(layer, 'weight', amountOf(golden.amount), {
      importanceScores: this.tensor(golden.scores),
    });
    prune.l1Unstructured(layer, 'bias', amountOf(golden.bias_amount));
    this.sameMasks(layer, { weight_mask: golden.mask ?? '', bias_mask: golden.bias_mask });
  }

  /** @param {Case} golden */
  iterate(golden) {
    const layer = this.layerWith(this.tensor(golden.weight));
    this.library.manualSeed(golden.seed);
    for (const [index, step] of golden.steps.entries()) {
      this.call(layer, step);
      sameElements(
        `weight_mask after step ${index}`,
        layer.getBuffer('weight_mask').data,
        this.tensor(step.mask ?? ''),
      );
    }
    return layer;
  }

  /** @param {Case} golden */
  iterated(golden) {
    const layer = this.iterate(golden);
    const method = layer.getParameter('weight').pruning?.method;
    sameNames('method', [method?.constructor.name ?? 'none'], [golden.hook_class]);
    sameNames('parameters', namesOf(layer.namedParameters()), golden.parameters);
    sameNames('buffers', namesOf(layer.namedBuffers()), golden.buffers);
    sameNames('state dict', layer.stateDict().keys(), golden.state_keys);
  }

  /** @param {Case} golden */
  removed(golden) {
    const { prune } = this.library;
    const source = this.cases.filter(({ kind }) => kind === 'iterated')[golden.of];
    if (!source) throw new Mismatch(`there is no iterated case ${golden.of}`);
    const layer = this.iterate(source);
    prune.remove(layer, 'weight');
    // Pruned weights are +0 here and may be -0 in PyTorch: equal numbers.
    const wanted = this.tensor(golden.weight).float32.map((value) => value + 0);
    sameElements('weight', layer.getParameter('weight').data.float32, this.library.Tensor.of(wanted));
    sameNames('parameters', namesOf(layer.namedParameters()), golden.parameters);
    sameNames('buffers', namesOf(layer.namedBuffers()), golden.buffers);
    sameNames('isPruned', [String(prune.isPruned(layer))], [String(golden.is_pruned)]);
  }

  /** @param {Case} golden */
  recipeLocal(golden) {
    const { prune } = this.library;
    const model = this.lenet(golden.model_seed);
    this.library.manualSeed(golden.seed);
    prune.randomUnstructured(model.conv1, 'weight', 0.25);
    prune.randomUnstructured(model.conv1, 'bias', 0.25);
    this.sameMasks(model, golden.masks);
    sameNames('parameters of conv1', namesOf(model.conv1.namedParameters()), golden.conv1_parameters);
    sameNames('buffers of conv1', namesOf(model.conv1.namedBuffers()), golden.conv1_buffers);
  }

  /** @param {Case} golden */
  recipeIterative(golden) {
    const { nn, prune } = this.library;
    const model = this.lenet(golden.model_seed);
    this.library.manualSeed(golden.seed);
    for (const module of model.modules()) {
      if (module instanceof nn.Conv2d) prune.randomUnstructured(module, 'weight', 0.3);
      else if (module instanceof nn.Linear) prune.randomUnstructured(module, 'weight', 0.5);
    }
    this.sameMasks(model, golden.masks);
  }

  /** @param {Case} golden @param {readonly Case[]} calls */
  recipeGlobal(golden, calls) {
    const { prune } = this.library;
    const model = this.lenet(golden.model_seed);
    if (golden.seed !== undefined) this.library.manualSeed(golden.seed);
    /** @type {import('../../src/prune/index.ts').PruningTarget[]} */
    const parameters = [model.conv1, model.conv2, model.fc1, model.fc2, model.fc3].map((module) => [
      module,
      'weight',
    ]);
    const method = golden.method === 'RandomUnstructured' ? prune.RandomUnstructured : prune.L1Unstructured;
    for (const { amount } of calls)
      prune.globalUnstructured(parameters, method, { amount: amountOf(amount) });
    this.sameMasks(model, golden.masks);
  }

  /** @param {Case} golden */
  recipeCustom(golden) {
    const { prune } = this.library;
    class EveryOther extends prune.BasePruningMethod {
      /** @type {import('../../src/prune/index.ts').PruningType} */
      pruningType = 'unstructured';
      /** @override @param {Tensor} _t @param {Tensor} defaultMask */
      computeMask(_t, defaultMask) {
        const mask = defaultMask.clone();
        for (let i = 0; i < mask.size; i += 2) mask.float32[i] = 0;
        return mask;
      }
    }
    const model = this.lenet(golden.model_seed);
    EveryOther.apply(model.fc1, 'bias');
    sameElements('bias_mask', model.fc1.getBuffer('bias_mask').data, this.tensor(golden.bias_mask));
    sameNames('buffers', namesOf(model.fc1.namedBuffers()), golden.buffers);
  }
}

/** @param {number | string | undefined} n */
function normOf(n) {
  if (n === 'inf') return Number.POSITIVE_INFINITY;
  if (n === '-inf') return Number.NEGATIVE_INFINITY;
  if (n === 'fro' || n === 'nuc' || typeof n === 'number') return n;
  throw new Mismatch(`no norm is '${n}'`);
}

/** @param {string} message @returns {readonly string[]} */
const numbersIn = (message) => message.match(/-?\d+(\.\d+)?/g) ?? [];

/** @param {Iterable<[string, unknown]>} entries */
const namesOf = (entries) => [...entries].map(([name]) => name);

/** @param {Case} golden */
const labelOf = ({ fn, amount, dim, n, seed, layer, method }) =>
  Object.entries({ fn, layer, method, amount, dim, n, seed })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');

/**
 * Runs the cases of `folder` whose kind `accepts` takes. Throws where the folder's files cannot be read; whatever goes wrong in a case is a
 * failure of that case.
 * @param {Library} library
 * @param {string} folder
 * @param {(kind: string) => boolean} [accepts] All kinds, if left out.
 * @returns {Promise<Results>}
 */
export async function runGolden(library, folder, accepts = () => true) {
  /** @type {{ cases: Case[] }} */
  const { cases } = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
  const { tensors } = library.onnx.parseSafetensors(readFileSync(join(folder, 'tensors.safetensors')));
  const runner = new Runner(library, tensors, cases);
  /** @type {Results} */
  const results = { passed: 0, failures: [] };
  for (const [index, golden] of cases.entries()) {
    const { kind } = golden;
    if (!accepts(kind)) continue;
    try {
      const run = runner.kinds[kind];
      if (!run) throw new Mismatch(`no case of kind '${kind}' is known`);
      await run(golden);
      results.passed++;
    } catch (error) {
      const problem = error instanceof Mismatch ? error.message : String(error);
      results.failures.push({ kind, index, label: labelOf(golden), problem });
    }
  }
  return results;
}
