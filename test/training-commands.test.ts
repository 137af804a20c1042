import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tensor } from '../src/core/tensor.ts';
import { readModel } from '../src/node/index.ts';
import { sparsityReport } from '../src/profile/index.ts';
import { parseReport } from '../src/report/index.ts';
import { writeIdxFiles, writeNpy } from './data-set-files.ts';
import { secateur } from './run-command.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

/** `FOLDER/` in the arguments stands for the folder of this test, `DATA` for the made-up digits. */
const placed = (line: string): string[] =>
  line
    .split(' ')
    .filter(Boolean)
    .map((text) => text.replace('FOLDER', () => folder).replace('DATA', () => at('digits')));

const typed = (line: string) => secateur(...placed(line));

// biome-ignore lint/suspicious/noExplicitAny: what a command prints is looked at field by field.
async function json(line: string): Promise<any> {
  const { code, out, err } = await typed(`${line} --json`);
  expect(err).toBe('');
  expect(code).toBe(0);
  return JSON.parse(out);
}

const COMMON = '--data DATA --batch-size 32 --threads 1';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-training-'));
  mkdirSync(at('digits'));
  writeIdxFiles(at('digits'), { train: 320, test: 96 });
  expect((await typed(`train lenet5 ${COMMON} -o FOLDER/dense.onnx --epochs 3 --lr 0.1`)).err).toBe('');
  expect((await typed('prune FOLDER/dense.onnx -o FOLDER/pruned.onnx --amount 0.8 --global')).code).toBe(0);
  expect((await typed('convert lenet5 -o FOLDER/fresh.onnx')).code).toBe(0);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('secateur train', () => {
  it('learns, writes a file, and finds the accuracy in the file again', async () => {
    const found = await json(`train lenet5 ${COMMON} -o FOLDER/a.onnx --epochs 3 --lr 0.1`);
    expect(found.epochs).toHaveLength(3);
    expect(found.before.metrics.accuracy).toBeLessThan(0.4);
    expect(found.after.metrics.accuracy).toBeGreaterThan(0.9);
    expect(found.verification).toMatchObject({
      samples: 16,
      metrics: { accuracy: found.after.metrics.accuracy },
      on: 'the test half (96 samples)',
      parameters: 81194,
    });
    expect(found.verification.maxDifference).toBeLessThan(1e-4);
    expect(found.data).toMatchObject({
      kind: 'mnist',
      train: { samples: 320 },
      validation: { samples: 96, what: 'the test half (96 samples)' },
      test: null,
    });
    const judged = await json('evaluate FOLDER/a.onnx --data DATA --threads 1');
    expect(judged.metrics.accuracy).toBe(found.after.metrics.accuracy);
  });

  it('blends samples for a model that knows more classes than the data has', async () => {
    mkdirSync(at('few'));
    writeNpy(at('few/x.npy'), Tensor.zeros('float32', [10, 1, 32, 32]));
    writeNpy(at('few/y.npy'), Tensor.int64([0, 1, 2, 3, 0, 1, 2, 3, 0, 1]));
    await json(`train lenet5 ${COMMON} -o FOLDER/knows-ten.onnx --epochs 1`);
    const { epochs } = await json(
      `finetune FOLDER/knows-ten.onnx --data FOLDER/few -o FOLDER/blended.onnx --epochs 1 --augment mixup`,
    );
    expect(epochs[0].train.loss).toBeGreaterThan(0);
  });

  it('gives the same bytes for the same seed, and others for another', async () => {
    const bytes = async (name: string, seed: number): Promise<Buffer> => {
      await json(`train lenet5 ${COMMON} -o FOLDER/${name}.onnx --epochs 1 --seed ${seed}`);
      return readFileSync(at(`${name}.onnx`));
    };
    const first = await bytes('seed-a', 3);
    expect(first.equals(await bytes('seed-b', 3))).toBe(true);
    expect(first.equals(await bytes('seed-c', 4))).toBe(false);
  });

  it('holds out a part of the training half and judges the file on the test half', async () => {
    const { data, verification } = await json(
      `train lenet5 ${COMMON} -o FOLDER/split.onnx --epochs 1 --validation-split 25%`,
    );
    expect(data).toMatchObject({
      train: { samples: 240 },
      validation: { samples: 80 },
      test: { samples: 96 },
    });
    expect(verification.on).toBe('the test half (96 samples)');
    const { out } = await typed(
      `train lenet5 ${COMMON} -o FOLDER/split.onnx --epochs 1 --validation-split 25% --force`,
    );
    expect(out).toContain('validation          25 % of the training half, drawn by seed 0 (80 samples)');
    expect(out).toContain('test                the test half (96 samples), looked at only in the end');
  });

  const variants = [
    '--optimizer adam --lr 0.003',
    '--optimizer adamw --weight-decay 0.01 --schedule step',
    '--optimizer rmsprop --momentum 0.9 --schedule none --warmup 0.5',
    '--schedule onecycle --lr 0.1',
    '--warmup 0.5 --clip-grad-norm 1 --label-smoothing 0.1 --augment crop,flip',
    '--augment crop,mixup',
    '--ema 0.9 --restore-best --patience 1',
    '--sparse-training l1:1e-4 --sparse-training group-lasso:1e-3',
  ];
  for (const [index, options] of variants.entries()) {
    it(`takes ${options}`, async () => {
      const { epochs, verification } = await json(
        `train lenet5 ${COMMON} -o FOLDER/variant-${index}.onnx --epochs 2 ${options}`,
      );
      expect(epochs.at(-1).train.loss).toBeLessThan(epochs[0].train.loss);
      expect(verification.maxDifference).toBeLessThan(1e-4);
    });
  }

  for (const [method, options] of [
    ['magnitude', '--gradual-scope layer'],
    ['movement', '--gradual-every 2'],
    ['rigl', '--exclude fc3'],
  ] as const) {
    it(`prunes by ${method} during training, up to the sparsity asked for`, async () => {
      const { after, verification } = await json(
        `train lenet5 ${COMMON} -o FOLDER/${method}.onnx --epochs 3 --gradual ${method} --sparsity 80% ${options} --report FOLDER/${method}.html`,
      );
      const weights = method === 'rigl' ? 80118 : 80958;
      expect(after.zeros / weights).toBeCloseTo(0.8, 2);
      expect(verification.zeros).toBe(after.zeros);
      const report = parseReport(readFileSync(at(`${method}.json`), 'utf8'));
      // By Erdős–Rényi the first convolution stays dense.
      const masks = report.sections.flatMap(({ items }) => items.filter(({ kind }) => kind === 'mask'));
      expect(masks).toHaveLength(method === 'rigl' ? 3 : 5);
    });
  }

  it('prints which samples are which, the epochs, and what was checked', async () => {
    const { out, err, code } = await typed(`train lenet5 ${COMMON} -o FOLDER/text.onnx --epochs 2`);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('training on         the training half (320 samples)');
    expect(out).toContain('validation          the test half (96 samples)');
    expect(out).toMatch(/\n +2 +20 +0\.0250 /);
    expect(out).toMatch(/\nwrote +.*text\.onnx \(326\.85 kB\)\nchecked +read back and run in onnxruntime/);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThan(120);
  });

  it('goes on from a checkpoint to the same bits', async () => {
    const options = `${COMMON} --epochs 2 --augment crop --checkpoint`;
    await json(`train lenet5 ${options} FOLDER/whole.ckpt -o FOLDER/whole.onnx`);
    forgetWritten();
    const stopped = typed(
      `train lenet5 ${options} FOLDER/part.ckpt -o FOLDER/part.onnx --checkpoint-every 3`,
    );
    await untilFile(at('part.ckpt'));
    interrupt();
    const { code, err } = await stopped;
    expect(code).toBe(130);
    expect(err).toMatch(
      /^secateur: interrupted; .*part\.ckpt holds what was done so far; to go on:\n {2}secateur train lenet5 .* --resume\n$/,
    );
    expect(existsSync(at('part.onnx'))).toBe(false);
    const again = await typed(`train lenet5 ${options} FOLDER/part.ckpt -o FOLDER/part.onnx`);
    expect(again.code).toBe(1);
    expect(again.err).toContain('exists already; --resume goes on from it');
    const other = await typed(
      `train lenet5 ${options} FOLDER/part.ckpt -o FOLDER/part.onnx --resume --lr 0.2`,
    );
    expect(other.code).toBe(2);
    expect(other.err).toContain('was written with lr 0.05, this run has 0.2');
    await json(`train lenet5 ${options} FOLDER/part.ckpt -o FOLDER/part.onnx --resume`);
    expect(readFileSync(at('part.onnx')).equals(readFileSync(at('whole.onnx')))).toBe(true);
  });

  it('says that nothing was kept where no checkpoint was asked for', async () => {
    forgetWritten();
    const listeners = process.listenerCount('SIGINT');
    const stopped = typed(`train lenet5 ${COMMON} -o FOLDER/none.onnx --epochs 200`);
    while (process.listenerCount('SIGINT') === listeners) await new Promise((done) => setTimeout(done, 5));
    interrupt();
    const { code, err } = await stopped;
    expect(code).toBe(130);
    expect(err).toBe(
      'secateur: interrupted; nothing was kept; with --checkpoint FILE it could go on from here\n',
    );
    expect(process.listenerCount('SIGINT')).toBe(listeners);
  });

  it('writes a report as a page, and its data beside it', async () => {
    const { reports } = await json(
      `train lenet5 ${COMMON} -o FOLDER/r.onnx --epochs 2 --report FOLDER/r.html`,
    );
    expect(reports).toEqual([at('r.html'), at('r.json')]);
    const html = readFileSync(at('r.html'), 'utf8');
    const report = parseReport(readFileSync(at('r.json'), 'utf8'));
    expect(html).toContain('<h1>lenet5: trained on mnist</h1>');
    expect(report.seed).toBe(0);
    expect(report.command).toMatch(/^secateur train lenet5 --data .* --report .*r\.html --json$/);
    expect(report.versions.onnxruntime).toMatch(/^\d+\.\d+/);
    expect(report.sections.map(({ title }) => title)).toEqual([
      'Model before and after',
      'Training',
      'Weights',
    ]);
    const kinds = report.sections.flatMap(({ items }) => items.map(({ kind }) => kind));
    expect(kinds).toContain('line');
    expect(kinds).toContain('histogram');
    const refused = await typed(`train lenet5 ${COMMON} -o FOLDER/r2.onnx --report FOLDER/r.html`);
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain('r.html: exists already; --force writes over it');
  });
});

/** Commands that wrote their files end the process when they are interrupted afterwards; here they all are one process. */
function forgetWritten(): void {
  for (const listener of process.listeners('SIGINT')) {
    if (listener.name === 'endAfterwards') process.off('SIGINT', listener);
  }
}

const interrupt = (): boolean => process.emit('SIGINT', 'SIGINT');

/** Waits for a file of a run that is under way. */
async function untilFile(path: string): Promise<void> {
  while (!existsSync(path)) await new Promise((done) => setTimeout(done, 2));
}

describe('secateur finetune', () => {
  const zerosOf = (name: string): number => sparsityReport(readModel(at(name))).zeros;

  it('keeps what is zero at zero, and brings accuracy back', async () => {
    const found = await json(
      `finetune FOLDER/pruned.onnx ${COMMON} -o FOLDER/finetuned.onnx --epochs 3 --momentum 0.9 --weight-decay 1e-3 --report FOLDER/finetuned.html`,
    );
    expect(found.zerosKept).toBe(zerosOf('pruned.onnx'));
    expect(zerosOf('finetuned.onnx')).toBe(zerosOf('pruned.onnx'));
    expect(found.after.metrics.accuracy).toBeGreaterThanOrEqual(found.before.metrics.accuracy);
    const kinds = parseReport(readFileSync(at('finetuned.json'), 'utf8')).sections.flatMap(({ items }) =>
      items.map(({ kind }) => kind),
    );
    expect(kinds).toContain('mask');
  });

  it('trains zeros too where it is told to', async () => {
    await json(`finetune FOLDER/pruned.onnx ${COMMON} -o FOLDER/regrown.onnx --epochs 1 --no-keep-zeros`);
    expect(zerosOf('regrown.onnx')).toBeLessThan(zerosOf('pruned.onnx') / 2);
  });

  it('checks a file whose batch is built in on batches of that size', async () => {
    expect((await typed('convert lenet5 --shape 4,1,32,32 -o FOLDER/fixed.onnx')).code).toBe(0);
    const { verification, data } = await json(
      'finetune FOLDER/fixed.onnx --data DATA --threads 1 --batch-size 4 --limit 42 -o FOLDER/fixed-tuned.onnx --epochs 1',
    );
    expect(data.train.samples).toBe(42);
    expect(verification.samples).toBe(16);
    expect(verification.maxDifference).toBeLessThan(1e-4);
  });

  it('learns from a teacher', async () => {
    const { settings, after } = await json(
      `finetune FOLDER/pruned.onnx ${COMMON} -o FOLDER/student.onnx --epochs 2 --teacher FOLDER/dense.onnx --alpha 0.5`,
    );
    expect(settings).toMatchObject({ temperature: 4, alpha: 0.5 });
    expect(after.metrics.accuracy).toBeGreaterThan(0.5);
  });
});

describe('secateur evaluate', () => {
  it('prints loss and metrics, of the half it is asked for', async () => {
    const found = await json('evaluate FOLDER/dense.onnx --data DATA --metric top5 --split train');
    expect(found).toMatchObject({ data: { split: 'train', samples: 320 }, parameters: 81194, zeros: 0 });
    expect(Object.keys(found.metrics)).toEqual(['loss', 'accuracy', 'top5']);
    expect(found.metrics.top5).toBeGreaterThanOrEqual(found.metrics.accuracy);
    const { out } = await typed('evaluate FOLDER/dense.onnx --data DATA --limit 50');
    expect(out).toMatch(/\naccuracy +\d+\.\d\d %\n/);
    expect(out).toContain('judged on           the test half (the first 50 samples)');
  });

  it('writes a report of what was found, and the zeros of each parameter', async () => {
    const found = await json('evaluate FOLDER/pruned.onnx --data DATA --report FOLDER/judged.html');
    expect(found.reports).toEqual([at('judged.html'), at('judged.json')]);
    const report = parseReport(readFileSync(at('judged.json'), 'utf8'));
    expect(report.sections.map(({ title }) => title)).toEqual(['Result', 'Parameters']);
    expect(readFileSync(at('judged.html'), 'utf8')).toContain('Zeros in each parameter');
    const again = await typed('evaluate FOLDER/pruned.onnx --data DATA --report FOLDER/judged.html');
    expect(again.err).toContain('exists already; --force writes over it');
  });
});

describe('secateur iterate', () => {
  const OPTIONS = `${COMMON} --finetune-epochs 1`;

  it('prunes and fine-tunes in rounds to the sparsity asked for, and reports it', async () => {
    const found = await json(
      `iterate FOLDER/dense.onnx ${OPTIONS} -o FOLDER/iterated.onnx --target-sparsity 0.9 --rounds 3 --report FOLDER/iterated.html`,
    );
    expect(found).toMatchObject({ ended: 'target', best: 3 });
    expect(found.rounds).toHaveLength(3);
    expect(found.rounds[2].sparsity).toBeCloseTo(0.9, 4);
    expect(found.verification.zeros).toBe(found.after.zeros);
    expect(found.after.zeros).toBe(Math.round(0.9 * 80958));
    expect(found.after.sizes.gzip).toBeLessThan(found.before.sizes.gzip / 4);
    const { sections } = parseReport(readFileSync(at('iterated.json'), 'utf8'));
    expect(sections.map(({ title }) => title)).toEqual([
      'Model before and after',
      'Rounds',
      'Fine-tuning',
      'Layers',
      'Pruned weights',
    ]);
  });

  it('goes back to the last round that is not under the floor', async () => {
    const found = await json(
      `iterate FOLDER/dense.onnx ${OPTIONS} -o FOLDER/floored.onnx --target-sparsity 0.9999 --sparsity-schedule linear --rounds 2 --floor 0.9 --lr 0.001`,
    );
    expect(found.ended).toBe('floor');
    expect(found.after.metrics.accuracy).toBeGreaterThanOrEqual(0.9);
    expect(found.after.zeros).toBe(found.best === 0 ? 0 : Math.round(found.rounds[0].sparsity * 80958));
  });

  const variants: readonly (readonly [string, (found: Awaited<ReturnType<typeof json>>) => void])[] = [
    [
      '--target-parameters 40000 --rate 0.5',
      ({ after }) => expect(after.parameters - after.zeros).toBe(40000),
    ],
    ['--target-size 200KB --rate 0.4', ({ after }) => expect(after.sizes.gzip).toBeLessThan(201_000)],
    [
      '--target-sparsity 0.5 --sparsity-schedule one-shot --scope layer --exclude fc3',
      ({ layers }) =>
        expect((layers as { sparsity: number }[]).map(({ sparsity }) => sparsity)).toEqual([
          0.5, 0.5, 0.5, 0.5,
        ]),
    ],
    [
      '--target-sparsity 0.5 --rounds 1 --scope sensitivity --granularity filter --max-drop 100%',
      ({ after }) => expect(after.zeros).toBeGreaterThan(30000),
    ],
  ];
  for (const [index, [options, check]] of variants.entries()) {
    it(`takes ${options}`, async () => {
      check(await json(`iterate FOLDER/dense.onnx ${OPTIONS} -o FOLDER/iterated-${index}.onnx ${options}`));
    });
  }

  it('goes on from a checkpoint to the same bits', async () => {
    const options = `${COMMON} --target-sparsity 0.9 --rounds 2 --finetune-epochs 2 --checkpoint-every 3 --checkpoint`;
    await json(`iterate FOLDER/dense.onnx ${options} FOLDER/iw.ckpt -o FOLDER/iw.onnx`);
    forgetWritten();
    const stopped = typed(`iterate FOLDER/dense.onnx ${options} FOLDER/ip.ckpt -o FOLDER/ip.onnx`);
    await untilFile(at('ip.ckpt'));
    interrupt();
    expect(await stopped).toMatchObject({ code: 130 });
    expect(existsSync(at('ip.onnx'))).toBe(false);
    await json(`iterate FOLDER/dense.onnx ${options} FOLDER/ip.ckpt -o FOLDER/ip.onnx --resume`);
    expect(readFileSync(at('ip.onnx')).equals(readFileSync(at('iw.onnx')))).toBe(true);
  });

  it('prints rounds and how it ended', async () => {
    const { out, err, code } = await typed(
      `iterate FOLDER/dense.onnx ${OPTIONS} -o FOLDER/rounds.onnx --target-sparsity 50% --rounds 1`,
    );
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/\nround +sparsity +not zero +pruned +fine-tuned +kept\n/);
    expect(out).toMatch(/\n +1 +50\.00 % +40,715 +\d+\.\d\d % +\d+\.\d\d % +yes\n/);
    expect(out).toContain('ended               The target was met after 1 round.');
    expect(out).toContain('note                The file has no dropout');
  });
});

describe('secateur sensitivity', () => {
  it('judges each layer at each amount and derives amounts', async () => {
    const found = await json(
      'sensitivity FOLDER/dense.onnx --data DATA --amounts 0.2,0.9,100% --max-drop 5% --report FOLDER/sensitivity.html',
    );
    expect(found.dense).toBeGreaterThan(0.9);
    expect(found.rows.map(({ layer }: { layer: string }) => layer)).toEqual([
      'conv1',
      'conv2',
      'fc1',
      'fc2',
      'fc3',
    ]);
    const [, conv2, fc1] = found.rows;
    expect(conv2.scores[2]).toBeLessThan(0.3);
    expect(found.chosen.conv2).toBeLessThan(1);
    expect(fc1.size).toBe(69120);
    const [section] = parseReport(readFileSync(at('sensitivity.json'), 'utf8')).sections;
    expect(section!.items.map(({ kind }) => kind)).toEqual(['line', 'table']);
  });

  it('prints a table, and which samples it is about', async () => {
    const { out, err } = await typed(
      'sensitivity FOLDER/dense.onnx --data DATA --amounts 0.5 --include conv* --sparsity 0.3',
    );
    expect(err).toBe('');
    expect(out).toMatch(
      /^accuracy on the test half \(96 samples\) with one layer pruned at a time; \d+\.\d\d with none\n/,
    );
    expect(out).toMatch(/\nlayer +weights +50 % +chosen\n/);
    expect(out).toMatch(/\nconv2 +864 +\d+\.\d\d +\d+\.\d\d %\n/);
    expect(out).toContain('chosen amounts for a sparsity of 30.00 %');
    expect(out).not.toContain('fc1');
  });

  it('keeps what was judged in a checkpoint, and goes on from it', async () => {
    const line = 'sensitivity FOLDER/dense.onnx --data DATA --include conv* --checkpoint FOLDER/s.ckpt';
    const found = await json(`${line} --amounts 0.5,0.9`);
    expect((await typed(`${line} --amounts 0.5,0.9`)).err).toContain(
      'exists already; --resume goes on from it',
    );
    expect((await json(`${line} --amounts 0.5,0.9 --resume`)).rows).toEqual(found.rows);
    expect((await typed(`${line} --amounts 0.5 --resume`)).err).toContain(
      'was written with amounts [0.5,0.9], this run has [0.5]',
    );
  });

  it('prunes groups, and judges by another metric', async () => {
    const { rows, granularity, metric } = await json(
      'sensitivity FOLDER/dense.onnx --data DATA --amounts 0.9 --granularity filter --metric loss --validation-split 0.2',
    );
    expect([rows.length, granularity, metric]).toEqual([5, 'filter', 'loss']);
  });
});

describe('secateur lottery', () => {
  const OPTIONS = `${COMMON} --epochs 2 --rounds 2 --rate 0.5 --limit 160`;

  it('trains tickets and what they are compared with, over seeds', async () => {
    const found = await json(
      `lottery lenet5 ${OPTIONS} --seeds 3,4 --rewind epoch:1 --report FOLDER/lottery.html --checkpoint FOLDER/lottery.ckpt`,
    );
    expect(found.trainings).toHaveLength(2 * (1 + 2 * 3));
    expect(found.rounds.map(({ round }: { round: number }) => round)).toEqual([0, 1, 2]);
    expect(found.rounds[2].remaining).toBeCloseTo(0.25, 1);
    expect(found.rounds[1].final.ticket.count).toBe(2);
    const [section] = parseReport(readFileSync(at('lottery.json'), 'utf8')).sections;
    expect(section!.items.map(({ kind }) => kind)).toEqual([
      'line',
      'line',
      'table',
      'table',
      'table',
      'table',
    ]);
    // All trainings are in the checkpoint: none is repeated.
    const again = await json(
      `lottery lenet5 ${OPTIONS} --seeds 3,4 --rewind epoch:1 --checkpoint FOLDER/lottery.ckpt --resume`,
    );
    expect(again.trainings).toEqual(found.trainings);
  });

  it('prints mean and spread, or the one number of one seed', async () => {
    const { out } = await typed(`lottery lenet5 ${OPTIONS} --seeds 1 --controls none --schedule none`);
    expect(out).toMatch(/\nround +remaining +ticket +best at epoch\n/);
    expect(out).toMatch(/\n +0 +100\.00 % +\d+\.\d\d % +[12]\.0\n/);
    expect(out).toContain('accuracy after the last epoch, seed 1');
    expect(out).not.toContain('±');
    const two = await typed(`lottery lenet5 ${OPTIONS} --rounds 1 --epochs 1 --seeds 1,2 --controls reinit`);
    expect(two.out).toMatch(/\n +1 +\d+\.\d\d % +\d+\.\d\d ± \d+\.\d\d % +\d+\.\d\d ± \d+\.\d\d % +1\.0\n/);
  });
});

describe('messages of the commands that train', () => {
  const ITERATE = 'iterate FOLDER/pruned.onnx --data DATA -o FOLDER/x.onnx --target-sparsity 0.5';
  const wrong: readonly (readonly [code: number, line: string, says: string])[] = [
    [2, 'train lenet5 -o FOLDER/x.onnx', "required option '--data <path>' not specified"],
    [1, 'train lenet5 --data FOLDER/nowhere -o FOLDER/x.onnx', 'there is no such file or folder (--data)'],
    [1, 'train lenet5 --data FOLDER -o FOLDER/x.onnx', 'holds no data set that is known; looked for'],
    [2, 'train lenet --data DATA -o FOLDER/x.onnx', 'did you mean lenet5?'],
    [2, 'train FOLDER/dense.onnx --data DATA -o FOLDER/x.onnx', 'to train'],
    [2, 'train resnet20 --data DATA -o FOLDER/x.onnx', 'are [1, 32, 32]; the model takes [3, 32, 32]'],
    [2, 'train yolov5n --data FOLDER/floats -o FOLDER/x.onnx', 'the model takes [3, 640, 640]'],
    [2, 'train lenet5 --data FOLDER/floats -o FOLDER/x.onnx', 'expected a class for each sample'],
    [2, 'train lenet5 --data DATA -o x.txt', '--output:'],
    [1, 'train lenet5 --data DATA -o FOLDER/dense.onnx', 'exists already; --force writes over it'],
    [
      2,
      'train lenet5 --data DATA -o FOLDER/x.onnx --report x.txt',
      "--report: 'x.txt' must end in .html or .htm",
    ],
    [2, 'train lenet5 --data DATA -o FOLDER/x.onnx --resume', '--checkpoint FILE --resume'],
    [
      2,
      'train lenet5 --data DATA -o FOLDER/x.onnx --checkpoint-every 5',
      '--checkpoint-every has no part here',
    ],
    [1, 'train lenet5 --data DATA -o FOLDER/x.onnx --checkpoint FOLDER/none/c', 'there is no folder'],
    [1, 'train lenet5 --data DATA -o FOLDER/x.onnx --checkpoint FOLDER', 'it is a folder, not a file'],
    [
      2,
      'train lenet5 --data DATA -o FOLDER/x.onnx --optimizer adam --momentum 0.9',
      '--momentum has no part here',
    ],
    [
      2,
      'train lenet5 --data DATA -o FOLDER/x.onnx --schedule onecycle --warmup 1',
      '--warmup has no part here',
    ],
    [2, 'train lenet5 --data DATA -o FOLDER/x.onnx --epochs 1 --warmup 1', 'leave nothing of a run of 1'],
    [2, 'train lenet5 --data DATA -o FOLDER/x.onnx --alpha 0.5', '--alpha has no part here'],
    [2, 'train lenet5 --data DATA -o FOLDER/x.onnx --teacher lenet5', 'nothing to teach'],
    [
      2,
      'train lenet5 --data DATA -o FOLDER/x.onnx --teacher a.onnx --label-smoothing 0.1',
      'is smooth already',
    ],
    [2, 'train lenet5 --data DATA -o FOLDER/x.onnx --validation-split 0', 'expected a share between 0 and 1'],
    [2, 'train lenet5 --data DATA -o FOLDER/x.onnx --validation-split 0.001', 'leaves none for validation'],
    [
      2,
      'train lenet5 --data DATA -o FOLDER/x.onnx --sparse-training l1',
      'expected KIND:FACTOR such as l1:1e-4',
    ],
    [2, 'train lenet5 --data DATA -o FOLDER/x.onnx --sparse-training slimming:1e-4', 'has no batch norm'],
    [2, 'train lenet5 --data DATA -o FOLDER/x.onnx --sparsity 0.9', '--sparsity has no part here'],
    [2, 'train lenet5 --data DATA -o FOLDER/x.onnx --gradual rigl', '--gradual needs the sparsity'],
    [2, 'train lenet5 --data DATA -o FOLDER/x.onnx --gradual-every 5', '--gradual-every has no part here'],
    [2, 'train lenet5 --data DATA -o FOLDER/x.onnx --exclude fc3', '--exclude has no part here'],
    [
      2,
      'finetune FOLDER/pruned.onnx --data DATA -o FOLDER/x.onnx --gradual rigl --sparsity 0.9',
      'begins with masks of its own: give --no-keep-zeros too',
    ],
    [
      2,
      'finetune FOLDER/pruned.onnx --data DATA -o FOLDER/x.onnx --gradual magnitude --sparsity 0.5',
      'is less than the 0.8000 that is zero already',
    ],
    [2, 'train lenet5 --data DATA -o FOLDER/x.onnx --augment spin', 'expected crop, flip'],
    [
      2,
      'train lenet5 --data DATA -o FOLDER/x.onnx --classes 3 --threads 1',
      'knows 3 classes, the data has 10',
    ],
    [2, 'finetune lenet5 --data DATA -o FOLDER/x.onnx', 'or use secateur train lenet5'],
    [2, 'finetune FOLDER/dense.onnx --data FOLDER/colour -o FOLDER/x.onnx', 'the model takes [1, 32, 32]'],
    [
      2,
      'iterate FOLDER/dense.onnx --data DATA -o FOLDER/x.onnx',
      'iterate needs a target: --target-sparsity 0.95',
    ],
    [
      2,
      'iterate FOLDER/dense.onnx --data DATA -o FOLDER/x.onnx --target-sparsity 0.5 --target-size 1KB',
      'iterate needs one target, not several',
    ],
    [2, `${ITERATE} --floor 0.9 --max-drop 1%`, 'give one of them'],
    [2, `${ITERATE} --rate 0.5 --rounds 2`, '--rate has no part here: --rounds says'],
    [2, `${ITERATE} --rate 0.5 --sparsity-schedule cubic`, '--sparsity-schedule cubic says'],
    [2, `${ITERATE} --rate 1`, '--rate: expected a share between 0 and 1'],
    [2, `${ITERATE} --granularity 2:4`, 'use secateur prune'],
    [2, `${ITERATE} --include none`, 'no parameter of'],
    [2, `${ITERATE.replace('pruned', 'fresh')} --floor 0.9`, 'under the floor before anything is pruned'],
    [2, 'sensitivity FOLDER/dense.onnx --data DATA --max-drop 1% --sparsity 0.5', 'give one of them'],
    [2, 'sensitivity FOLDER/dense.onnx --data DATA --amounts 2', 'expected a share between 0 and 1'],
    [2, 'sensitivity FOLDER/dense.onnx --data DATA --granularity cube', "granularity 'cube'"],
    [2, 'sensitivity FOLDER/dense.onnx --data DATA --metric top9', "metric 'top9' is not known"],
    [2, 'lottery FOLDER/dense.onnx --data DATA', 'begins with fresh weights'],
    [2, 'lottery lenet5 --data DATA --weights a.safetensors', '--weights has no part here'],
    [2, 'lottery lenet5 --data DATA --rate 1', '--rate: expected a share between 0 and 1'],
    [2, 'lottery lenet5 --data DATA --rewind epoch:9', 'beyond the 5 epochs'],
    [2, 'lottery lenet5 --data DATA --seeds 1,1', 'a seed is given twice'],
    [2, 'evaluate FOLDER/dense.onnx --data DATA --metric top9', "metric 'top9' is not known"],
  ];
  beforeAll(() => {
    for (const [name, shape] of [
      ['floats', [4, 1, 32, 32]],
      ['colour', [4, 3, 32, 32]],
    ] as const) {
      mkdirSync(at(name));
      writeNpy(at(`${name}/x.npy`), Tensor.zeros('float32', shape));
      const y = name === 'floats' ? Tensor.zeros('float32', [4, 2]) : Tensor.int64([0, 1, 2, 3]);
      writeNpy(at(`${name}/y.npy`), y);
    }
  });
  for (const [expected, line, says] of wrong) {
    it(`secateur ${line}: ends with ${expected}`, async () => {
      const { code, out, err } = await typed(line);
      expect(err).toContain(says);
      expect(err).toMatch(/^secateur: /);
      expect(out).toBe('');
      expect(code).toBe(expected);
    });
  }
});
