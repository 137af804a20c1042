// @ts-check
/**
 * The experiments with structural pruning of docs/experiments.md:
 *
 *     node scripts/structural-experiments.mjs importance --model lenet5|resnet20|resnet56 [--shares 0.5,0.25] [--methods l1,l2,…] [--seeds 0,1,2] [--chart FILE.svg]
 *     node scripts/structural-experiments.mjs simplify --model lenet5|resnet20|resnet56 [--seeds 0,1,2]
 *
 * `importance` cuts a trained network to shares of its MACs by each importance, fine-tunes, and judges on the test images; the row `dense` is trained as long and not cut; with `--weights` it is the network as given. `simplify` masks half of the filters and removes them. Each seed
 * and method runs in a process of its own on one thread, `--jobs` of them at a time. Results go to `--results FILE`, a line of JSON each, as they come; what is there is not done again.
 *
 * `--weights FILE` (.th, .pt or .safetensors) takes a trained network instead of training one. `--epochs`, `--lr`, `--scope`, `--ignore`, `--distill`, `--mix`, `--repair` and `--rounds` say how it is fine-tuned.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { ensureInstall } from './ensure-install.mjs';
import { inParallel, inProcess, loadRoom, meanAndDeviation, spread } from './experiment-runs.mjs';
import { cutRun, denseRun, MODELS, modelName, simplifyRun } from './structural-runs.mjs';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'lenet5' },
    methods: { type: 'string' },
    shares: { type: 'string', default: '0.5,0.25' },
    seeds: { type: 'string', default: '0,1,2' },
    jobs: { type: 'string', default: '2' },
    images: { type: 'string', default: '0' },
    'dense-epochs': { type: 'string' },
    'dense-lr': { type: 'string' },
    epochs: { type: 'string' },
    lr: { type: 'string' },
    scope: { type: 'string', default: 'layer' },
    ignore: { type: 'string' },
    distill: { type: 'string', default: '0' },
    mix: { type: 'boolean', default: false },
    repair: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '1' },
    data: { type: 'string' },
    folder: { type: 'string', default: join(tmpdir(), 'secateur-structural') },
    weights: { type: 'string' },
    results: { type: 'string' },
    chart: { type: 'string' },
    only: { type: 'string' },
  },
});

const model = modelName(flags.model);
const { recipe, data } = MODELS[model];
/** @type {import('./structural-runs.mjs').Settings} */
const settings = {
  model,
  images: Number(flags.images),
  denseEpochs: Number(flags['dense-epochs'] ?? recipe.denseEpochs),
  denseLr: Number(flags['dense-lr'] ?? recipe.denseLr),
  epochs: Number(flags.epochs ?? recipe.epochs),
  lr: Number(flags.lr ?? recipe.lr),
  scope: flags.scope === 'global' || flags.scope === 'isomorphic' ? flags.scope : 'layer',
  ignore: flags.ignore?.split(',') ?? [],
  distill: Number(flags.distill),
  mix: flags.mix,
  repair: flags.repair,
  rounds: Number(flags.rounds),
  trained: flags.weights !== undefined,
};
const places = { data: flags.data ?? data, folder: flags.folder, weights: flags.weights ?? null };
const results = flags.results ?? join(flags.folder, `${model}.jsonl`);

/** @typedef {{ what: string, seed: number, method: string, share: number }} Run */

/** @param {string | undefined} list */
const numbers = (list) => (list ?? '').split(',').map(Number);

/** What a result belongs to. @param {any} row */
const keyOf = ({ what, seed, method, share, settings: own }) =>
  JSON.stringify([what, seed, method, share, own]);

/** The results that are there, by what they belong to. @returns {Map<string, any>} */
function known() {
  if (!existsSync(results)) return new Map();
  const lines = readFileSync(results, 'utf8').split('\n').filter(Boolean);
  return new Map(lines.map((line) => JSON.parse(line)).map((row) => [keyOf(row), row]));
}

/** One process's part: the runs of one seed and method. @param {readonly Run[]} runs */
async function child(runs) {
  for (const { what, seed, method, share } of runs) {
    const result =
      what === 'dense'
        ? await denseRun(settings, places, seed)
        : what === 'simplify'
          ? await simplifyRun(settings, places, seed)
          : await cutRun(settings, places, seed, method, share);
    console.log(JSON.stringify({ what, seed, method, share, settings, ...result }));
  }
}

/** Does what is not done yet. @param {readonly (readonly Run[])[]} groups Those of one process each. */
async function runAll(groups) {
  const done = known();
  const open = groups
    .map((runs) => runs.filter((run) => !done.has(keyOf({ ...run, settings }))))
    .filter((runs) => runs.length > 0);
  mkdirSync(dirname(results), { recursive: true });
  let count = 0;
  const total = open.flat().length;
  await inParallel(open, Number(flags.jobs), (runs) => {
    const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--only', JSON.stringify(runs)];
    return inProcess(args, (row) => {
      appendFileSync(results, `${JSON.stringify(row)}\n`);
      const { method, share, seed, accuracy } = row;
      const judged = accuracy === undefined ? '' : `: ${(100 * accuracy).toFixed(2)} %`;
      console.error(`${++count}/${total} ${row.what} ${method} ${share} seed ${seed}${judged}`);
    });
  });
  return known();
}

/** The runs that cut ones are held against. @param {readonly number[]} seeds */
const controlRuns = (seeds) =>
  seeds.map((seed) => ({ what: settings.trained ? 'dense' : 'cut', seed, method: 'dense', share: 1 }));

/** The table, and what the chart is drawn of. @param {Map<string, any>} rows @param {readonly string[]} methods @param {readonly number[]} shares @param {readonly number[]} seeds */
function summarize(rows, methods, shares, seeds) {
  /** @param {string} method @param {number} share */
  const own = (method, share) =>
    seeds.flatMap((seed) => rows.get(keyOf({ what: 'cut', seed, method, share, settings })) ?? []);
  const control = controlRuns(seeds).flatMap((run) => rows.get(keyOf({ ...run, settings })) ?? []);
  const controls = new Map(control.map((row) => [row.seed, row.accuracy]));
  console.log(
    '| importance | MACs left | parameters left | before fine-tuning | after | against dense (points) |\n| --- | ---: | ---: | ---: | ---: | ---: |',
  );
  const of = (/** @type {any[]} */ list, /** @type {string} */ name) => list.map((row) => row[name]);
  const percent = (/** @type {number[]} */ values) => `${(100 * meanAndDeviation(values).mean).toFixed(1)} %`;
  console.log(
    settings.trained
      ? `| dense, as it was | 100 % | 100 % |  | ${spread(of(control, 'accuracy'))} |  |`
      : `| dense, trained as long | 100 % | 100 % | ${spread(of(control, 'before'))} | ${spread(of(control, 'accuracy'))} |  |`,
  );
  const points = [];
  for (const share of shares) {
    for (const method of methods) {
      const list = own(method, share);
      if (list.length === 0) continue;
      const drops = list.map(({ seed, accuracy }) => accuracy - controls.get(seed));
      const accuracy = of(list, 'accuracy');
      console.log(
        `| ${method} | ${percent(of(list, 'macs'))} | ${percent(of(list, 'parameters'))} | ${spread(of(list, 'before'))} | ${spread(accuracy)} | ${spread(drops)} |`,
      );
      points.push({ method, share, ...meanAndDeviation(drops) });
    }
  }
  const errors = [...rows.values()].map(({ error }) => error ?? 0);
  console.log(`\nLargest difference found by verification: ${Math.max(...errors).toExponential(1)}`);
  return points;
}

async function importance() {
  const { IMPORTANCE_METHODS } = await loadRoom('structural');
  const all = IMPORTANCE_METHODS.map((/** @type {any} */ { name }) => name);
  const methods = (flags.methods?.split(',') ?? all).filter(
    (/** @type {string} */ method) => !MODELS[model].without.includes(method),
  );
  const seeds = numbers(flags.seeds);
  const shares = numbers(flags.shares);
  await runAll(seeds.map((seed) => [{ what: 'dense', seed, method: 'dense', share: 1 }]));
  const rows = await runAll([
    ...controlRuns(seeds).map((run) => [run]),
    ...methods.flatMap((/** @type {string} */ method) =>
      seeds.map((seed) => shares.map((share) => ({ what: 'cut', seed, method, share }))),
    ),
  ]);
  const points = summarize(rows, methods, shares, seeds);
  if (flags.chart === undefined) return;
  const { importanceChart } = await import('./structural-chart.mjs');
  writeFileSync(flags.chart, await importanceChart(MODELS[model].title, points));
}

async function simplify() {
  const seeds = numbers(flags.seeds);
  const runs = seeds.map((seed) => ({ what: 'simplify', seed, method: 'simplify', share: 0.5 }));
  const rows = await runAll(runs.map((run) => [run]));
  console.log(
    '| seed | dense | masked and fine-tuned | simplified | parameters | MACs | largest difference, random inputs | on the test images (largest output) |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
  );
  const percent = (/** @type {number} */ value) => (100 * value).toFixed(2);
  for (const run of runs) {
    const row = rows.get(keyOf({ ...run, settings }));
    const { before, after } = row;
    console.log(
      `| ${row.seed} | ${percent(row.dense)} | ${percent(row.masked)} | ${percent(row.simplified)} | ${before.parameters.toLocaleString('en')} → ${after.parameters.toLocaleString('en')} | ${before.macs.toLocaleString('en')} → ${after.macs.toLocaleString('en')} | ${row.maxError.toExponential(1)} | ${row.testError.toExponential(1)} (${row.largest.toFixed(0)}) |`,
    );
    for (const { layer, filters, why } of row.whyNot)
      console.error(`seed ${row.seed}: ${layer}: ${filters} zero filters stay: ${why}`);
  }
}

async function main() {
  const [what] = positionals;
  if (what !== 'importance' && what !== 'simplify')
    throw new Error('expects an experiment: importance or simplify');
  if (flags.scope !== settings.scope)
    throw new Error(`expects --scope layer, global or isomorphic, got '${flags.scope}'`);
  if (settings.mix && settings.distill === 0)
    throw new Error('--mix goes with --distill SHARE: the dense model says what blends are');
  if (settings.epochs % settings.rounds !== 0)
    throw new Error(`${settings.epochs} epochs cannot be shared among ${settings.rounds} rounds`);
  if (flags.only !== undefined) {
    await child(JSON.parse(flags.only));
    return 0;
  }
  if (!ensureInstall() || build() !== 0) return 1;
  const begin = performance.now();
  if (what === 'importance') await importance();
  else await simplify();
  const minutes = ((performance.now() - begin) / 60_000).toFixed(1);
  console.error(
    `${minutes} minutes, ${cpus()[0]?.model}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`,
  );
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
