// @ts-check
/**
 * The cases of training: gradients of operators, eight steps of LeNet-5 by each optimizer, learning rates of schedules. `run-golden.mjs` runs them with the others.
 */

/** @typedef {typeof import('../../src/index.ts')} Library The package's main entry. */
/** @typedef {import('../../src/index.ts').Tensor} Tensor */
/** @typedef {import('../../src/nn/index.ts').Variable} Variable */
/** @typedef {Readonly<Record<string, unknown>>} Attributes */
/** @typedef {{ x: Variable, w: Variable, b: Variable, a: Variable, t: Variable }} Inputs Those that a case has. */
/** @typedef {(inputs: Inputs, attributes: Attributes) => Variable} Operation */
/**
 * @typedef {object} GradCase
 * @property {string} op
 * @property {Attributes} attrs
 * @property {Record<string, string>} inputs
 * @property {string} output
 * @property {string} grad_output
 * @property {Record<string, string>} grads
 */
/**
 * @typedef {object} TrainCase
 * @property {string} optimizer
 * @property {Record<string, unknown>} args
 * @property {boolean} pruned
 * @property {number} model_seed
 * @property {string} x
 * @property {string} t
 * @property {number[]} losses
 * @property {string} fc3_weight
 * @property {string} conv2_weight
 * @property {string} fc1_bias
 */
/** @typedef {{ scheduler: string, args: Record<string, unknown>, base_lr: number, lrs: number[] }} ScheduleCase */

/** How far gradients, losses and weights may lie from PyTorch's, relative to the largest element. */
const TOLERANCE = 1e-4;

/** How far learning rates may: they are float64 on both sides. */
const RATE_TOLERANCE = 1e-12;

/**
 * What each operator of a `grad` case is in our words.
 * @param {Library} library
 * @returns {Readonly<Record<string, Operation>>}
 */
function operations({ nn, Tensor }) {
  const { F } = nn;
  /** @param {Attributes} attributes @param {string} name @param {number} fallback */
  const number = (attributes, name, fallback) => Number(attributes[name] ?? fallback);
  /** @param {Attributes} attributes */
  const window = (attributes) => ({
    stride: number(attributes, 'stride', 1),
    padding: number(attributes, 'padding', 0),
    dilation: number(attributes, 'dilation', 1),
    groups: number(attributes, 'groups', 1),
  });
  /** @param {Attributes} attributes @param {number} kernel */
  const pooling = (attributes, kernel) => ({
    stride: number(attributes, 'stride', kernel),
    padding: number(attributes, 'padding', 0),
  });
  /** @type {Record<string, Operation>} */
  const all = {
    conv2d: ({ x, w, b }, attrs) => F.conv2d(x, w, b ?? null, window(attrs)),
    conv_transpose2d: ({ x, w, b }, attrs) =>
      F.convTranspose2d(x, w, b ?? null, { stride: number(attrs, 'stride', 1) }),
    linear: ({ x, w, b }) => F.linear(x, w, b ?? null),
    matmul: ({ a, b }) => F.matmul(a, b),
    max_pool2d: ({ x }, attrs) =>
      F.maxPool2d(x, number(attrs, 'kernel_size', 2), pooling(attrs, number(attrs, 'kernel_size', 2))),
    avg_pool2d: ({ x }, attrs) =>
      F.avgPool2d(x, number(attrs, 'kernel_size', 2), pooling(attrs, number(attrs, 'kernel_size', 2))),
    adaptive_avg_pool2d: ({ x }, attrs) => F.adaptiveAvgPool2d(x, number(attrs, 'output_size', 1)),
    interpolate_nearest: ({ x }, attrs) =>
      F.interpolate(x, { scaleFactor: number(attrs, 'scale_factor', 2), mode: 'nearest' }),
    batch_norm_train: ({ x, w, b }, attrs) => {
      const channels = x.size(1);
      return F.batchNorm(x, Tensor.zeros('float32', [channels]), Tensor.full([channels], 1), {
        weight: w,
        bias: b,
        training: true,
        eps: number(attrs, 'eps', 1e-5),
      });
    },
    batch_norm_eval: ({ x, w, b }, attrs) => {
      const channels = x.size(1);
      const mean = Tensor.full([channels], number(attrs, 'running_mean', 0));
      return F.batchNorm(x, mean, Tensor.full([channels], number(attrs, 'running_var', 1)), {
        weight: w,
        bias: b,
        eps: number(attrs, 'eps', 1e-5),
      });
    },
    layer_norm: ({ x, w, b }, attrs) => F.layerNorm(x, [x.size(-1)], w, b, number(attrs, 'eps', 1e-5)),
    softmax: ({ x }, attrs) => F.softmax(x, number(attrs, 'dim', -1)),
    log_softmax: ({ x }, attrs) => F.logSoftmax(x, number(attrs, 'dim', -1)),
    cat: ({ a, b }, attrs) => F.cat([a, b], number(attrs, 'dim', 0)),
    add_broadcast: ({ a, b }) => F.add(a, b),
    mul_broadcast: ({ a, b }) => F.mul(a, b),
    div: ({ a, b }) => F.div(a, b),
    chunk_swap: ({ x }) => F.cat([...F.chunk(x, 2, 1)].reverse(), 1),
    reshape_permute: ({ x }) => F.permute(F.reshape(x, [2, 3, 4, 5]), [0, 2, 3, 1]),
    cross_entropy: ({ x, t }) => F.crossEntropy(x, t).view([1]),
    cross_entropy_smooth: ({ x, t }, attrs) =>
      F.crossEntropy(x, t, { labelSmoothing: number(attrs, 'label_smoothing', 0) }).view([1]),
    bce_with_logits: ({ x, t }) => F.binaryCrossEntropyWithLogits(x, t).view([1]),
    mse: ({ x, t }) => F.mseLoss(x, t).view([1]),
    smooth_l1: ({ x, t }) => F.smoothL1Loss(x, t).view([1]),
    relu: ({ x }) => F.relu(x),
    silu: ({ x }) => F.silu(x),
    sigmoid: ({ x }) => F.sigmoid(x),
    tanh: ({ x }) => F.tanh(x),
    hardswish: ({ x }) => F.hardswish(x),
    hardsigmoid: ({ x }) => F.hardsigmoid(x),
    gelu: ({ x }) => F.gelu(x),
    leaky_relu: ({ x }) => F.leakyRelu(x),
    relu6: ({ x }) => F.relu6(x),
    elu: ({ x }) => F.elu(x),
    mish: ({ x }) => F.mish(x),
    softplus: ({ x }) => F.softplus(x),
  };
  return all;
}

/**
 * Throws where elements differ by more than the tolerance times the largest of them.
 * @param {string} what
 * @param {Tensor} found
 * @param {Tensor} wanted
 */
function closeTensors(what, found, wanted) {
  if (found.shape.join() !== wanted.shape.join())
    throw new Error(`${what}: expected ${wanted}, got ${found}`);
  const [a, b] = [found.toNumbers(), wanted.toNumbers()];
  const scale = b.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
  b.forEach((value, index) => {
    const distance = Math.abs(value - (a[index] ?? Number.NaN));
    if (!(distance <= TOLERANCE * scale)) {
      throw new Error(`${what}, element ${index}: expected ${value}, got ${a[index]} (largest ${scale})`);
    }
  });
}

/** Runs cases of training; each kind is a method. */
export class TrainingCases {
  /** @param {Library} library @param {(name: string) => Tensor} tensor */
  constructor(library, tensor) {
    this.library = library;
    this.tensor = tensor;
    this.operations = operations(library);
  }

  /** Output and gradients of an operator. @param {GradCase} golden */
  async grad(golden) {
    const { nn, autograd, runtime } = this.library;
    const compute = this.operations[golden.op];
    if (compute === undefined) throw new Error(`no operator '${golden.op}' is known`);
    /** @type {Operation} */
    const operation = compute;
    const names = Object.keys(golden.inputs);
    class Operator extends nn.Module {
      /** @override @param {...Variable} inputs */
      forward(...inputs) {
        const named = Object.fromEntries(inputs.map((input, index) => [names[index], input]));
        return operation(/** @type {Inputs} */ (named), golden.attrs);
      }
    }
    /** @type {Record<string, Tensor>} */
    const feeds = {};
    for (const [name, key] of Object.entries(golden.inputs)) feeds[name] = this.tensor(key);
    const graph = nn.trace(/** @type {never} */ (new Operator()), feeds, { opset: 18, training: true });
    const withRespectTo = Object.keys(golden.grads);
    const differentiated = autograd.gradient(graph, {
      of: 'output',
      withRespectTo,
      gradOutput: 'grad_output',
    });
    const session = await runtime.createSession(differentiated);
    try {
      const results = await session.run({ ...feeds, grad_output: this.tensor(golden.grad_output) });
      const result = (/** @type {string} */ name) => {
        const tensor = results.get(name);
        if (!tensor) throw new Error(`no output '${name}'`);
        return tensor;
      };
      closeTensors('output', result('output'), this.tensor(golden.output));
      for (const [name, key] of Object.entries(golden.grads)) {
        closeTensors(`gradient of ${name}`, result(autograd.gradientName(name)), this.tensor(key));
      }
    } finally {
      await session.dispose();
    }
  }

  /** Eight steps of LeNet-5. @param {TrainCase} golden */
  async train(golden) {
    const { nn, models, prune, train, manualSeed, Tensor } = this.library;
    manualSeed(golden.model_seed);
    const model = new models.LeNet5();
    if (golden.pruned) {
      prune.l1Unstructured(model.conv2, 'weight', 0.5);
      prune.lnStructured(model.fc1, 'weight', 0.5, { n: 2, dim: 0 });
    }
    const step = new train.TrainStep(model, {
      loss: (output, target) => nn.F.crossEntropy(output, target),
      optimizer: train.optimizerByName(golden.optimizer, model.parameters(), golden.args),
    });
    const [x, t] = [this.tensor(golden.x), this.tensor(golden.t)];
    const [steps = 0, ...shape] = x.shape;
    const size = x.size / steps;
    const targets = t.size / steps;
    /** @type {Tensor | null} PyTorch masks a weight anew in each forward pass: its `weight` is what the last pass used. */
    let used = null;
    try {
      for (let index = 0; index < steps; index++) {
        if (golden.pruned && index === steps - 1) {
          step.sync();
          used = model.conv2.weight.data.clone();
        }
        const input = new Tensor('float32', shape, x.float32.slice(index * size, (index + 1) * size));
        const target = Tensor.int64(t.toNumbers().slice(index * targets, (index + 1) * targets));
        const { loss } = await step.run([input], target);
        const wanted = golden.losses[index] ?? Number.NaN;
        if (!(Math.abs(loss - wanted) <= TOLERANCE * Math.abs(wanted))) {
          throw new Error(`loss of step ${index + 1}: expected ${wanted}, got ${loss}`);
        }
      }
    } finally {
      await step.dispose();
    }
    closeTensors('fc3.weight', model.fc3.weight.data, this.tensor(golden.fc3_weight));
    closeTensors('conv2.weight', used ?? model.conv2.weight.data, this.tensor(golden.conv2_weight));
    closeTensors('fc1.bias', /** @type {Tensor} */ (model.fc1.bias?.data), this.tensor(golden.fc1_bias));
    for (const [name, parameter] of model.namedParameters()) {
      const mask = parameter.mask?.float32;
      parameter.data.float32.forEach((value, index) => {
        if (mask?.[index] === 0 && value !== 0)
          throw new Error(`${name}, element ${index}: is pruned, but is ${value}`);
      });
    }
  }

  /** Learning rates, one before each step. @param {ScheduleCase} golden */
  schedule(golden) {
    const { nn, train } = this.library;
    const optimizer = new train.SGD([new nn.Parameter(this.library.Tensor.zeros('float32', [1]))], {
      lr: golden.base_lr,
    });
    const schedule = train.scheduleByName(golden.scheduler, optimizer, golden.args);
    golden.lrs.forEach((wanted, index) => {
      const lr = optimizer.paramGroups[0]?.lr ?? Number.NaN;
      if (!(Math.abs(lr - wanted) <= RATE_TOLERANCE)) {
        throw new Error(`learning rate ${index + 1}: expected ${wanted}, got ${lr}`);
      }
      schedule.step();
    });
  }
}
