// @ts-check
/**
 * `npm run bench [-- --python PYTHON] [--rounds N] [--models s,x] [--json]`: times pruning, profiling and the command line. With `--python` (an
 * interpreter that has torch, and thop where its profile is to be timed) the peers run in turn with this project in the same run, and the
 * ratios are printed. Each figure is the median and the minimum of its rounds; the machine's load is printed before and after.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Peer, summary } from './bench-peer.mjs';
import { build } from './build.mjs';
import { ensureInstall } from './ensure-install.mjs';
import { ROOT, runNode } from './tools.mjs';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    models: { type: 'string', default: 's,x' },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(flags.rounds);
const AMOUNT = 0.3;

/** @param {string} room @returns {Promise<any>} */
const load = (room) => import(pathToFileURL(join(ROOT, 'dist', room, 'index.js')).href);

/** @param {string} size */
async function pruning(size) {
  const [nn, models, prune] = await Promise.all(['nn', 'models', 'prune'].map(load));
  nn.manualSeed(0);
  const model = models.createModel(`yolov5${size}`, { classes: 80 });
  /** @type {any[]} */
  const convs = [...model.modules()].filter((module) => module instanceof nn.Conv2d);
  class Holder extends nn.Module {
    /** @param {any} conv */
    constructor(conv) {
      super();
      const { data, layout } = conv.weight;
      this.weight = new nn.Parameter(data.clone(), { layout });
    }
  }
  const fresh = () => convs.map((conv) => new Holder(conv));
  /** @param {(modules: any[]) => void} work */
  const time = (work) => {
    const modules = fresh();
    const start = performance.now();
    work(modules);
    return performance.now() - start;
  };
  return {
    global_l1: () =>
      time((modules) =>
        prune.globalUnstructured(
          modules.map((module) => [module, 'weight']),
          prune.L1Unstructured,
          { amount: AMOUNT },
        ),
      ),
    layer_l1: () =>
      time((modules) => {
        for (const module of modules) prune.l1Unstructured(module, 'weight', AMOUNT);
      }),
    ln_structured: () =>
      time((modules) => {
        for (const module of modules) prune.lnStructured(module, 'weight', AMOUNT, { n: 2, dim: 0 });
      }),
  };
}

async function profiling() {
  const [nn, models, profile] = await Promise.all(['nn', 'models', 'profile'].map(load));
  nn.manualSeed(0);
  const model = models.createModel('yolov5s', { classes: 3 }).eval();
  /** @param {boolean} zeros */
  return (zeros) => () => {
    const start = performance.now();
    profile.profile(model, { shapes: [1, 3, 640, 640], convention: 'thop@0.1.1', zeros });
    return performance.now() - start;
  };
}

/** @typedef {{ name: string, ours: ReturnType<typeof summary>, peer?: ReturnType<typeof summary> }} Row */

/**
 * Our side and the peer's in turn.
 * @param {string} name
 * @param {() => number} ours
 * @param {(() => Promise<number>) | null} theirs
 * @param {number} [warmup]
 * @returns {Promise<Row>}
 */
async function sideBySide(name, ours, theirs, warmup = 2) {
  // Both are warmed up: code is compiled, memory touched.
  for (let i = 0; i < warmup; i++) {
    ours();
    if (theirs) await theirs();
  }
  const mine = [];
  const peers = [];
  for (let round = 0; round < rounds; round++) {
    mine.push(ours());
    if (theirs) peers.push(await theirs());
  }
  return { name, ours: summary(mine), ...(theirs ? { peer: summary(peers) } : {}) };
}

/** @param {string} name @param {readonly string[]} args @returns {Row} */
function command(name, args) {
  const times = [];
  for (let round = 0; round < 15; round++) {
    const start = performance.now();
    const { status, output } = runNode([join('dist', 'cli', 'main.js'), ...args]);
    times.push(performance.now() - start);
    if (status !== 0) throw new Error(`secateur ${args.join(' ')} ended with status ${status}: ${output}`);
  }
  return { name, ours: summary(times) };
}

async function bench() {
  if (!ensureInstall()) return 1;
  const status = build();
  if (status !== 0) return status;
  const load0 = loadavg()[0];
  const peer = flags.python ? new Peer(flags.python, 'peer.py') : null;
  const hello = peer ? await peer.ask({ do: 'hello' }) : null;
  /** @type {Row[]} */
  const rows = [];
  for (const size of flags.models.split(',')) {
    for (const [fn, ours] of Object.entries(await pruning(size))) {
      const theirs = peer
        ? async () => 1000 * (await peer.ask({ do: 'prune', model: size, fn, amount: AMOUNT })).seconds
        : null;
      rows.push(await sideBySide(`yolov5${size} ${fn}`, ours, theirs));
    }
  }
  const thop =
    peer && hello.thop
      ? async () => 1000 * (await peer.ask({ do: 'thop', model: 's', classes: 3 })).seconds
      : null;
  const profile = await profiling();
  rows.push(await sideBySide('yolov5s profile at 640x640', profile(true), thop, 20));
  rows.push(await sideBySide('the same without counting zeros, as thop', profile(false), thop, 20));
  peer?.close();

  const folder = mkdtempSync(join(tmpdir(), 'secateur-bench-'));
  try {
    const onnx = join(folder, 'yolov5s.onnx');
    const { status: made, output } = runNode([
      join('dist', 'cli', 'main.js'),
      'convert',
      'yolov5s',
      '-o',
      onnx,
    ]);
    if (made !== 0) throw new Error(output);
    rows.push(command('secateur --help', ['--help']));
    rows.push(command('secateur profile yolov5s.onnx', ['profile', onnx]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    threads: availableParallelism(),
    node: process.version,
    peer: hello,
    load: { before: load0, after: loadavg()[0] },
  };
  if (flags.json) console.log(JSON.stringify({ machine, rows }, null, 2));
  else print(machine, rows);
  return 0;
}

/** @param {number} ms */
const shown = (ms) => (ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toFixed(1)} ms`);

/** @param {any} machine @param {readonly Row[]} rows */
function print(machine, rows) {
  const peer = machine.peer
    ? `, torch ${machine.peer.torch} (${machine.peer.threads} threads), thop ${machine.peer.thop ?? 'not installed'}`
    : '';
  console.log(`${machine.cpu}, ${machine.threads} threads, Node ${machine.node}${peer}`);
  console.log(`load ${machine.load.before?.toFixed(2)} before, ${machine.load.after?.toFixed(2)} after\n`);
  console.log('| what | secateur (median, min) | peer (median, min) | peer / secateur |');
  console.log('| --- | --- | --- | --- |');
  for (const { name, ours, peer: other } of rows) {
    const theirs = other ? `${shown(other.median)}, ${shown(other.min)}` : '';
    const ratio = other ? `${(other.median / ours.median).toFixed(1)}x` : '';
    console.log(`| ${name} | ${shown(ours.median)}, ${shown(ours.min)} | ${theirs} | ${ratio} |`);
  }
}

try {
  process.exitCode = await bench();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
