// @ts-check
/**
 * The experiments with detectors of docs/experiments.md:
 *
 *     node scripts/detector-experiments.mjs sparsity [--models FILE,FILE] [--data FILE.yaml] [--amounts 0.1,0.3,0.5,0.7] [--chart FILE.svg] [--json FILE]
 *
 * `sparsity` prunes YOLOv5n as YOLOv5's own `prune(model, 0.3)` does and tells what that changed, then prunes each granularity by each amount and judges it as val.py, without fine-tuning. A model is an .onnx file or a checkpoint of YOLOv5n
 * (.pt), whose batch norms are not folded yet; by default both of ../shared/data. Judged on the part `val` of the data, and on all of its images together.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { ensureInstall } from './ensure-install.mjs';
import { loadRoom } from './experiment-runs.mjs';
import { ROOT } from './tools.mjs';

const SHARED = join(ROOT, '..', 'shared', 'data');

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    models: {
      type: 'string',
      default: `${join(SHARED, 'weights', 'yolov5n.pt')},${join(SHARED, 'onnx', 'yolov5n.onnx')}`,
    },
    data: { type: 'string', default: join(SHARED, 'coco8', 'coco8.yaml') },
    amounts: { type: 'string', default: '0.1,0.3,0.5,0.7' },
    chart: { type: 'string' },
    json: { type: 'string' },
    threads: { type: 'string' },
  },
});

/** What YOLOv5's own `prune` is called with in its documentation. */
const SEED_AMOUNT = 0.3;

/** Ranked over all convolutions, not within each. */
const TOGETHER = ', all layers together';

/**
 * @typedef {{ map50: number, map: number }} Judged
 * @typedef {{ granularity: string, amount: number, sparsity: number, val: Judged, all: Judged }} Row
 */

async function sparsity() {
  const [prune, nn, node, models, detect, profile] = await Promise.all(
    ['prune', 'nn', 'node', 'models', 'detect', 'profile'].map(loadRoom),
  );
  const threads = flags.threads === undefined ? {} : { threads: Number(flags.threads) };
  const amounts = flags.amounts.split(',').map(Number);

  /** A model as it was trained, as a module and as the graph it shares its weights with. @param {string} path */
  const load = (path) => {
    if (path.endsWith('.onnx')) {
      const module = nn.fromGraph(node.readModel(path));
      return { module, graph: module.graph };
    }
    const module = models.createModel('yolov5n', { decode: true });
    module.loadStateDict(node.readTensors(path));
    module.eval();
    return { module, graph: nn.trace(module, [[1, 3, 640, 640]]) };
  };

  const data = node.readYoloData(flags.data);
  const parts = {
    val: await node.yoloDataset(data, 'val'),
    all: await node.yoloDataset({ ...data, splits: { val: Object.values(data.splits).flat() } }, 'val'),
  };

  /** @param {any} graph @returns {Promise<{ val: Judged, all: Judged }>} */
  const judge = async (graph) => {
    const detector = new detect.Detector(graph, { names: data.names, ...threads });
    try {
      const { map50, map } = await detect.evaluateDetector(detector, parts.val);
      const all = await detect.evaluateDetector(detector, parts.all);
      return { val: { map50, map }, all: { map50: all.map50, map: all.map } };
    } finally {
      await detector.dispose();
    }
  };

  /** @param {string} kind @param {'local' | 'global'} [scope] */
  const granular = (kind, scope) => (/** @type {number} */ amount, /** @type {readonly any[]} */ targets) =>
    prune.pruneGranular(targets, { granularity: { kind }, importance: 'l2', amount, scope });
  /** @param {number} dim */
  const structured = (dim) => (/** @type {number} */ amount, /** @type {readonly any[]} */ targets) => {
    for (const [module, name] of targets) prune.lnStructured(module, name, amount, { n: 2, dim });
  };
  const granularities = [
    { name: 'weights', apply: granular('fine-grained') },
    { name: `weights${TOGETHER}`, apply: granular('fine-grained', 'global') },
    { name: 'rows', apply: granular('vector') },
    { name: 'kernels', apply: granular('kernel') },
    { name: `kernels${TOGETHER}`, apply: granular('kernel', 'global') },
    { name: 'filters', apply: structured(0) },
    { name: `filters${TOGETHER}`, apply: granular('filter', 'global') },
    { name: 'channels', apply: structured(1) },
  ];
  const patterns = [3, 2, 1].map((n) => ({
    name: `${n}:4`,
    amount: 1 - n / 4,
    apply: (/** @type {readonly any[]} */ targets) =>
      prune.pruneGranular(targets, { granularity: { kind: 'nm', n, m: 4 } }),
  }));

  const results = [];
  for (const path of flags.models.split(',')) {
    const { module, graph } = load(path);
    const before = profile.profile(graph).totals;
    const dense = { granularity: 'none', amount: 0, sparsity: before.sparsity, ...(await judge(graph)) };
    prune.prune(module, SEED_AMOUNT);
    const after = profile.profile(graph).totals;
    const seed = { before, after, dense, pruned: await judge(graph) };

    /** @type {Row[]} */
    const rows = [];
    /** @param {string} name @param {number} amount @param {(targets: readonly any[]) => void} apply */
    const run = async (name, amount, apply) => {
      const fresh = load(path);
      apply(prune.selectParameters(fresh.module));
      const row = {
        granularity: name,
        amount,
        sparsity: prune.sparsity(fresh.module),
        ...(await judge(fresh.graph)),
      };
      rows.push(row);
      const [val, all] = [row.val, row.all].map(({ map50 }) => map50.toFixed(3));
      console.error(`${basename(path)}: ${name} ${amount}: mAP50 ${val}, ${all}`);
    };
    for (const { name, apply } of granularities)
      for (const amount of amounts) await run(name, amount, (targets) => apply(amount, targets));
    for (const { name, amount, apply } of patterns) await run(name, amount, apply);
    results.push({ model: basename(path), seed, rows });
  }
  return { amounts, images: { val: parts.val.length, all: parts.all.length }, results };
}

const commas = (/** @type {number} */ value) => value.toLocaleString('en');
const cell = (/** @type {Judged | undefined} */ judged) =>
  judged === undefined ? '' : `${judged.map50.toFixed(3)} / ${judged.map.toFixed(3)}`;

/** @param {Awaited<ReturnType<typeof sparsity>>} found */
function print({ amounts, images, results }) {
  console.log(
    `| | parameters | zeros | sparsity | MACs | mAP50 / mAP50-95, ${images.val} images | ${images.all} images |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |`,
  );
  for (const { model, seed } of results) {
    const line = (/** @type {string} */ name, /** @type {any} */ totals, /** @type {any} */ judged) =>
      console.log(
        `| ${model}${name} | ${commas(totals.parameters)} | ${commas(totals.zeros)} | ${totals.sparsity.toPrecision(3)} | ${commas(totals.macs)} | ${cell(judged.val)} | ${cell(judged.all)} |`,
      );
    line('', seed.before, seed.dense);
    line(`, \`prune(model, ${SEED_AMOUNT})\``, seed.after, seed.pruned);
  }
  for (const { model, seed, rows } of results) {
    for (const part of /** @type {const} */ (['all', 'val'])) {
      console.log(
        `\n${model}, ${images[part]} images, mAP50 / mAP50-95; nothing pruned: ${cell(seed.dense[part])}\n`,
      );
      console.log(
        `| what goes as one | ${amounts.map((amount) => `${100 * amount} %`).join(' | ')} |\n| --- | ${amounts.map(() => '---:').join(' | ')} |`,
      );
      const isPattern = (/** @type {Row} */ { granularity }) => /^\d+:\d+$/.test(granularity);
      for (const name of new Set(
        rows.filter((row) => !isPattern(row)).map(({ granularity }) => granularity),
      )) {
        const own = amounts.map((amount) =>
          rows.find((row) => row.granularity === name && row.amount === amount),
        );
        console.log(`| ${name} | ${own.map((row) => cell(row?.[part])).join(' | ')} |`);
      }
      const patterns = rows
        .filter(isPattern)
        .map((row) => `${row.granularity} (${100 * row.amount} %) ${cell(row[part])}`);
      console.log(`\nN:M: ${patterns.join('; ')}.`);
    }
  }
}

async function main() {
  if (positionals.length !== 1 || positionals[0] !== 'sparsity')
    throw new Error('expects an experiment: sparsity');
  const missing = [...flags.models.split(','), flags.data].find((path) => !existsSync(path));
  if (missing !== undefined) throw new Error(`there is no ${missing}; --models and --data take others`);
  if (!ensureInstall() || build() !== 0) return 1;
  const found = await sparsity();
  print(found);
  if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(found, null, 1)}\n`);
  if (flags.chart !== undefined) {
    const { granularityChart } = await import('./detector-chart.mjs');
    writeFileSync(flags.chart, await granularityChart(found));
  }
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
