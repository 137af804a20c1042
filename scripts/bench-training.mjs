// @ts-check
/**
 * `npm run bench:training [-- --python PYTHON] [--rounds N] [--models lenet5,resnet20,…] [--threads N] [--profile MODEL] [--memory STEPS] [--json]`: training steps per second.
 *
 * With `--python` (an interpreter that has torch) PyTorch runs the same steps in turn with this project in the same run, eager and through `torch.compile`, and the ratios are printed. `--profile` shows where
 * the time of a step goes, by operator. `--memory` runs that many steps of LeNet-5 and ResNet-20 and prints the process's memory on the way. A step is forward pass, cross entropy, gradients, and SGD with momentum and weight
 * decay, on the same batch each time.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Peer, summary } from './bench-peer.mjs';
import { build } from './build.mjs';
import { ensureInstall } from './ensure-install.mjs';
import { ROOT } from './tools.mjs';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string' },
    rounds: { type: 'string', default: '6' },
    models: { type: 'string', default: 'lenet5,resnet20,mobilenet_v2,yolov5n backbone' },
    threads: { type: 'string', default: String(availableParallelism()) },
    profile: { type: 'string' },
    memory: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(flags.rounds);
const threads = Number(flags.threads);

/** @param {string} path @returns {Promise<any>} */
const load = (path) => import(pathToFileURL(join(ROOT, 'dist', path)).href);

/** Networks with the shape of a batch, the number of classes, and steps a round. */
async function networks() {
  const [nn, models] = [await load('nn/index.js'), await load('models/index.js')];
  class Backbone extends nn.Module {
    constructor() {
      super();
      const { model } = models.createModel('yolov5n', { classes: 80 });
      this.layers = new nn.Sequential(...[...model.children()].slice(0, 10));
      this.linear = new nn.Linear(256, 80);
    }
    /** @param {any} x */
    forward(x) {
      return this.linear.call(this.layers.call(x).mean([2, 3]));
    }
  }
  /** @type {Record<string, { make: () => any, shape: number[], classes: number, steps: number }>} */
  const all = {
    lenet5: { make: () => new models.LeNet5(), shape: [64, 1, 32, 32], classes: 10, steps: 60 },
    resnet20: { make: () => models.resnet(20), shape: [64, 3, 32, 32], classes: 10, steps: 4 },
    mobilenet_v2: { make: () => new models.MobileNetV2(), shape: [16, 3, 96, 96], classes: 1000, steps: 4 },
    'yolov5n backbone': { make: () => new Backbone(), shape: [4, 3, 320, 320], classes: 80, steps: 4 },
  };
  return all;
}

/** A network and its training step. @param {string} name */
async function open(name) {
  const [nn, train, library] = [
    await load('nn/index.js'),
    await load('train/index.js'),
    await load('index.js'),
  ];
  const all = await networks();
  const network = all[name];
  if (!network) throw new Error(`no network '${name}'; expected ${Object.keys(all).join(', ')}`);
  const { shape, classes } = network;
  nn.manualSeed(0);
  const model = network.make();
  const size = shape.reduce((product, dim) => product * dim, 1);
  const input = new library.Tensor('float32', shape, library.defaultGenerator.randn(size));
  const target = library.Tensor.int64(Array.from({ length: shape[0] ?? 1 }, (_, index) => index % classes));
  const step = new train.TrainStep(model, {
    loss: train.lossFunction('crossEntropy'),
    optimizer: new train.SGD(model.parameters(), { lr: 0.01, momentum: 0.9, weightDecay: 5e-4 }),
    threads,
  });
  const run = async () => {
    const begin = performance.now();
    await step.run([input], target);
    return performance.now() - begin;
  };
  return { network, step, run, input, target };
}

/**
 * A peer with the network open, or why there is none.
 * @param {string} name
 * @param {boolean} compile
 * @returns {Promise<Peer | string>}
 */
async function openPeer(name, compile) {
  if (flags.python === undefined) return '';
  const peer = new Peer(flags.python, 'training.py');
  try {
    await peer.ask({ do: 'open', model: name, threads, compile });
    return peer;
  } catch (error) {
    peer.close();
    return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
  }
}

/** @typedef {{ name: string, batch: string, ours: ReturnType<typeof summary>, eager?: ReturnType<typeof summary>, compiled?: ReturnType<typeof summary>, why?: string }} Row */

/** Ours, PyTorch eager and PyTorch compiled, in turn. @param {string} name @returns {Promise<Row>} */
async function sideBySide(name) {
  const ours = await open(name);
  const eager = await openPeer(name, false);
  const compiled = await openPeer(name, true);
  /** @type {{ ours: number[], eager: number[], compiled: number[] }} */
  const times = { ours: [], eager: [], compiled: [] };
  const count = ours.network.steps;
  // The first round warms up.
  for (let round = -1; round < rounds; round++) {
    for (let index = 0; index < count; index++) {
      const ms = await ours.run();
      if (round >= 0) times.ours.push(ms);
    }
    for (const [peer, list] of /** @type {[Peer | string, number[]][]} */ ([
      [eager, times.eager],
      [compiled, times.compiled],
    ])) {
      if (typeof peer === 'string') continue;
      const { seconds } = await peer.ask({ do: 'steps', count });
      if (round >= 0) list.push(...seconds.map((/** @type {number} */ value) => 1000 * value));
    }
  }
  await ours.step.dispose();
  for (const peer of [eager, compiled]) if (typeof peer !== 'string') peer.close();
  return {
    name,
    batch: ours.network.shape.join('x'),
    ours: summary(times.ours),
    ...(times.eager.length > 0 ? { eager: summary(times.eager) } : {}),
    ...(times.compiled.length > 0 ? { compiled: summary(times.compiled) } : {}),
    ...(typeof compiled === 'string' && compiled !== '' ? { why: compiled } : {}),
  };
}

/** Where the time of a step goes, by operator, as onnxruntime's profiler tells it. @param {string} name */
async function profile(name) {
  const ort = await import('onnxruntime-node');
  const [io, blocks, runtime] = [
    await load('io/index.js'),
    await load('runtime/blocked-convolutions.js'),
    await load('runtime/index.js'),
  ];
  const { network, step } = await open(name);
  const [batch] = network.shape;
  const { graph } = await step.graph([network.shape, { shape: [batch], dtype: 'int64' }]);
  const block = await blocks.blockSize(ort);
  if (block !== null) blocks.useBlocks(graph, block);
  const folder = mkdtempSync(join(tmpdir(), 'secateur-profile-'));
  try {
    const session = await ort.InferenceSession.create(io.concatBytes(io.serializeOnnx(graph)), {
      intraOpNumThreads: threads,
      enableProfiling: true,
      profileFilePrefix: join(folder, 'step'),
      logSeverityLevel: 3,
    });
    /** @type {Record<string, any>} */
    const feeds = {};
    for (const [feed, tensor] of Object.entries(runtime.randomInputs(graph))) {
      feeds[feed] = new ort.Tensor(
        /** @type {any} */ (tensor).dtype,
        /** @type {any} */ (tensor).data,
        /** @type {any} */ (tensor).shape,
      );
    }
    const steps = 8;
    for (let index = 0; index < steps; index++) await session.run(feeds);
    session.endProfiling();
    await session.release();
    const [file = ''] = readdirSync(folder);
    /** @type {{ cat: string, name: string, dur: number, args: { op_name: string } }[]} */
    const events = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    /** @type {Map<string, { nodes: Map<string, number[]> }>} */
    const operators = new Map();
    for (const { cat, name: event, dur, args } of events) {
      if (cat !== 'Node' || !event.endsWith('_kernel_time')) continue;
      const { nodes } = operators.get(args.op_name) ?? { nodes: new Map() };
      operators.set(args.op_name, { nodes: nodes.set(event, [...(nodes.get(event) ?? []), dur / 1000]) });
    }
    const rows = [...operators]
      .map(([operator, { nodes }]) => ({
        operator,
        nodes: nodes.size,
        ms: [...nodes.values()].reduce((sum, times) => sum + summary(times).median, 0),
      }))
      .sort((a, b) => b.ms - a.ms);
    const total = rows.reduce((sum, { ms }) => sum + ms, 0);
    console.log(
      `${name}, batch ${network.shape.join('x')}: ${total.toFixed(1)} ms in ${rows.reduce((sum, { nodes }) => sum + nodes, 0)} nodes\n`,
    );
    console.log('| operator | nodes | ms | share |\n| --- | ---: | ---: | ---: |');
    for (const { operator, nodes, ms } of rows.slice(0, 16)) {
      console.log(`| ${operator} | ${nodes} | ${ms.toFixed(2)} | ${((100 * ms) / total).toFixed(1)} % |`);
    }
  } finally {
    await step.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The process's memory over many steps. @param {number} count */
async function memory(count) {
  console.log(
    '| network | state | after 100 steps | half way | at the end |\n| --- | ---: | ---: | ---: | ---: |',
  );
  for (const [name, steps] of /** @type {const} */ ([
    ['lenet5', count],
    ['resnet20', Math.ceil(count / 10)],
  ])) {
    const { step, run } = await open(name);
    /** @type {string[]} */
    const sizes = [];
    for (let index = 1; index <= steps; index++) {
      await run();
      if (index === Math.min(100, steps >> 2) || index === steps >> 1 || index === steps) {
        sizes.push(`${(process.memoryUsage().rss / 2 ** 20).toFixed(1)} MiB (step ${index})`);
      }
    }
    console.log(`| ${name} | ${(step.stateBytes / 2 ** 20).toFixed(1)} MiB | ${sizes.join(' | ')} |`);
    await step.dispose();
  }
}

/** @param {ReturnType<typeof summary> | undefined} times */
const shown = (times) => (times ? `${times.median.toFixed(1)} ms (${times.min.toFixed(1)})` : '');

/** @param {ReturnType<typeof summary> | undefined} other @param {ReturnType<typeof summary>} ours */
const ratio = (other, ours) => (other ? `${(other.min / ours.min).toFixed(2)}x` : '');

async function bench() {
  if (!ensureInstall()) return 1;
  const status = build();
  if (status !== 0) return status;
  if (flags.profile !== undefined) {
    await profile(flags.profile);
    return 0;
  }
  if (flags.memory !== undefined) {
    await memory(Number(flags.memory));
    return 0;
  }
  const before = loadavg()[0];
  /** @type {Row[]} */
  const rows = [];
  for (const name of flags.models.split(',')) rows.push(await sideBySide(name));
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    threads,
    node: process.version,
    load: { before, after: loadavg()[0] },
  };
  if (flags.json) {
    console.log(JSON.stringify({ machine, rows }, null, 2));
    return 0;
  }
  console.log(
    `${machine.cpu}, ${threads} threads, Node ${machine.node}; load ${before?.toFixed(2)} before, ${machine.load.after?.toFixed(2)} after\n`,
  );
  console.log(
    '| network | batch | secateur: median (min) | PyTorch eager | PyTorch compiled | eager / secateur | compiled / secateur |',
  );
  console.log('| --- | --- | ---: | ---: | ---: | ---: | ---: |');
  for (const { name, batch, ours, eager, compiled, why } of rows) {
    console.log(
      `| ${name} | ${batch} | ${shown(ours)} | ${shown(eager)} | ${why ?? shown(compiled)} | ${ratio(eager, ours)} | ${ratio(compiled, ours)} |`,
    );
  }
  return 0;
}

try {
  process.exitCode = await bench();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
