import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readModel } from '../src/node/index.ts';
import { profile } from '../src/profile/index.ts';
import { parseReport } from '../src/report/index.ts';
import { writeIdxFiles } from './data-set-files.ts';
import { secateur } from './run-command.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

/** `FOLDER/` in the arguments stands for the folder of this test, `DATA` for the made-up digits. */
const typed = (line: string) =>
  secateur(
    ...line
      .split(' ')
      .filter(Boolean)
      .map((text) => text.replace('FOLDER', () => folder).replace('DATA', () => at('digits'))),
  );

// biome-ignore lint/suspicious/noExplicitAny: what a command prints is looked at field by field.
async function json(line: string): Promise<any> {
  const { code, out, err } = await typed(`${line} --json`);
  expect(err).toBe('');
  expect(code).toBe(0);
  return JSON.parse(out);
}

const COMMON = '--data DATA --batch-size 32 --threads 1';
const ITERATE = `iterate FOLDER/dense.onnx ${COMMON} --structural --finetune-epochs 1`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-rounds-'));
  mkdirSync(at('digits'));
  writeIdxFiles(at('digits'), { train: 256, test: 96 });
  expect((await typed(`train lenet5 ${COMMON} -o FOLDER/dense.onnx --epochs 3 --lr 0.1`)).err).toBe('');
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('secateur iterate --structural', () => {
  it('cuts and fine-tunes in rounds to the MACs asked for, writes the file and reports it', async () => {
    const found = await json(
      `${ITERATE} -o FOLDER/half.onnx --target-macs 50% --rounds 2 --report FOLDER/half.html`,
    );
    expect(found).toMatchObject({ ended: 'target', best: 2 });
    expect(found.rounds).toHaveLength(2);
    expect(found.after.macs / found.before.macs).toBeCloseTo(0.5, 1);
    expect(found.after.metrics.accuracy).toBeGreaterThan(0.8);
    // What stands in the file.
    const { totals } = profile(readModel(at('half.onnx')), { shapes: [1, 1, 32, 32] });
    expect(totals).toMatchObject({ macs: found.after.macs, parameters: found.after.parameters });
    expect(found.verification.maxDifference).toBeLessThan(1e-4);
    expect(found.verification.metrics.accuracy).toBe(found.after.metrics.accuracy);
    expect(found.rounds.map(({ verified }: { verified: string }) => verified)).toEqual([
      expect.stringContaining('agree'),
      expect.stringContaining('agree'),
    ]);
    const { sections, facts } = parseReport(readFileSync(at('half.json'), 'utf8'));
    expect(sections.map(({ title }) => title)).toEqual([
      'Model before and after',
      'Rounds',
      'Training',
      'Channels',
      'Not cut, or less than asked',
    ]);
    expect(facts).toContainEqual(['target', '{"macs":{"share":0.5}}']);
  });

  it('prints rounds, channels, reasons and the proof', async () => {
    const { out, err, code } = await typed(`${ITERATE} -o FOLDER/ratio.onnx --target-ratio 0.5 --rounds 2`);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/\nround +parameters +MACs +of dense +cut +fine-tuned +verified +kept\n/);
    expect(out).toMatch(/\n +2 +[\d,]+ +[\d.]+ . +\d+\.\d\d % +\d+\.\d\d % +\d+\.\d\d % +yes +yes\n/);
    expect(out).toMatch(/\nconv1 +1 +6 +3 +50\.00 %\n/);
    expect(out).toContain('fc3: reaches the output');
    expect(out).toContain('ended               The target was met after 2 rounds.');
    expect(out).toMatch(/\nverified {12}each cut model computes what the one before does/);
    expect(out).toMatch(/\nchecked {13}read back and run in onnxruntime/);
  });

  const variants: readonly (readonly [string, (found: Awaited<ReturnType<typeof json>>) => void])[] = [
    ['--target-parameters 20K', ({ after }) => expect(after.parameters / 20_000).toBeCloseTo(1, 1)],
    [
      '--target-size 40% --scope global --importance taylor',
      ({ before, after }) => expect(after.sizes.raw / before.sizes.raw).toBeCloseTo(0.4, 1),
    ],
    [
      '--target-ratio 0.5 --rounds 1 --round-to 4 --ignore conv1 --ratio-for fc1=0.75 --max-ratio 0.8 --heads whole --keep-at-least 2 --repair --rounding up',
      ({ rounds }) =>
        expect(rounds[0].cuts.map(({ after }: { after: number }) => after)).toEqual([6, 8, 32, 44, 10]),
    ],
    [
      '--target-ratio 0.4 --rounds 1 --sparse-training growing:1 --sparse-epochs 2',
      ({ rounds, settings }) => {
        expect(rounds[0].growing).toHaveLength(2);
        expect(settings).toMatchObject({ sparseTraining: 'growing:1', sparseEpochs: 2 });
      },
    ],
    [
      '--target-ratio 0.4 --rounds 1 --sparse-training group-lasso:1e-3 --distill --temperature 2 --alpha 0.5',
      ({ sparse, settings }) => {
        expect(sparse).toHaveLength(1);
        expect(settings).toMatchObject({ distill: true, temperature: 2, alpha: 0.5, sparseEpochs: 1 });
      },
    ],
    [
      // Channels are ranked by the loss of single images with one label each.
      '--target-ratio 0.4 --rounds 1 --importance taylor --distill --alpha 1 --augment mixup',
      ({ after, settings }) => {
        expect(settings).toMatchObject({ importance: 'taylor', augment: ['mixup'] });
        expect(after.metrics.accuracy).toBeGreaterThan(0.5);
      },
    ],
    [
      '--target-ratio 0.9 --rounds 1 --floor 0.9 --lr 1e-6',
      ({ ended, best, before, after }) => {
        expect([ended, best]).toEqual(['floor', 0]);
        expect(after).toEqual(before);
      },
    ],
  ];
  for (const [index, [options, check]] of variants.entries()) {
    it(`takes ${options}`, async () => {
      check(await json(`${ITERATE} -o FOLDER/variant-${index}.onnx --rounds 2 ${options}`));
    });
  }

  it('goes towards a measured latency', async () => {
    const found = await json(`${ITERATE} -o FOLDER/fast.onnx --target-latency 70% --rounds 1`);
    // How far it gets is the machine's matter; that it measured is not.
    expect(found.settings.target).toEqual({ latency: { share: 0.7 } });
    for (const { reached } of found.rounds) {
      expect(reached.of).toBe('latency');
      expect(reached.measurements.length).toBeGreaterThan(0);
    }
  });

  it('goes on from a checkpoint to the same bits', async () => {
    const options = `${COMMON} --structural --target-macs 40% --rounds 2 --finetune-epochs 1 --checkpoint-every 3 --sparse-training growing:1 --checkpoint`;
    await json(`iterate FOLDER/dense.onnx ${options} FOLDER/whole.ckpt -o FOLDER/whole.onnx`);
    // What ends a program right after it has written a file: this one goes on.
    for (const listener of process.listeners('SIGINT'))
      if (listener.name === 'endAfterwards') process.off('SIGINT', listener);
    const stopped = typed(`iterate FOLDER/dense.onnx ${options} FOLDER/part.ckpt -o FOLDER/part.onnx`);
    await vi.waitUntil(() => existsSync(at('part.ckpt')), { timeout: 20_000, interval: 5 });
    process.emit('SIGINT', 'SIGINT');
    expect(await stopped).toMatchObject({ code: 130 });
    expect(existsSync(at('part.onnx'))).toBe(false);
    const other = await typed(
      `iterate FOLDER/dense.onnx ${options.replace('40%', '30%')} FOLDER/part.ckpt -o FOLDER/part.onnx --resume`,
    );
    expect(other.code).toBe(2);
    expect(other.err).toContain('was written with target {"macs":{"share":0.4}}, this run has');
    await json(`iterate FOLDER/dense.onnx ${options} FOLDER/part.ckpt -o FOLDER/part.onnx --resume`);
    expect(readFileSync(at('part.onnx')).equals(readFileSync(at('whole.onnx')))).toBe(true);
  });

  it('is in the help', async () => {
    const { out } = await typed('iterate --help');
    expect(out).toMatch(/Options of --structural:\n +--structural/);
    expect(out).toContain('--target-macs 50% --max-drop 1% --distill');
  });

  const PLAIN = 'iterate FOLDER/dense.onnx --data DATA -o FOLDER/x.onnx';
  const wrong: readonly (readonly [line: string, says: string])[] = [
    [`${PLAIN} --structural`, 'iterate --structural needs a target: --target-ratio 0.5'],
    [`${PLAIN} --structural --target-macs 50% --target-size 50%`, 'needs one target, not several'],
    [`${PLAIN} --structural --target-ratio 1`, '--target-ratio: expected a share between 0 and 1, got 1'],
    [`${PLAIN} --structural --target-macs 0%`, 'expected a share between 0 % and 100 %'],
    [`${PLAIN} --structural --target-sparsity 0.5`, '--target-sparsity has no part here: it is for setting'],
    [`${PLAIN} --structural --target-macs 50% --rate 0.5`, '--rate has no part here'],
    [`${PLAIN} --structural --target-macs 50% --granularity filter`, '--granularity has no part here'],
    [`${PLAIN} --structural --target-macs 50% --scope sensitivity`, '--scope sensitivity has no part here'],
    [`${PLAIN} --structural --target-macs 50% --rounding up`, 'there is no --round-to N'],
    [`${PLAIN} --structural --target-macs 50% --sparse-epochs 2`, 'there is no --sparse-training'],
    [
      `${PLAIN} --structural --target-macs 50% --alpha 0.5`,
      '--alpha has no part here: there is no --distill',
    ],
    [`${PLAIN} --structural --target-macs 50% --temperature 2`, '--temperature has no part here'],
    [
      `${PLAIN} --structural --target-macs 50% --distill --label-smoothing 0.1`,
      '--label-smoothing has no part here',
    ],
    [`${PLAIN} --structural --target-macs 50% --importance best`, "method 'best' is not known; expected l1"],
    [
      `${PLAIN} --structural --target-macs 50% --sparse-training l1:1`,
      'kinds are slimming, group-lasso, growing',
    ],
    [
      `${PLAIN} --structural --target-macs 50% --sparse-training slimming:1e-4`,
      'has no batch norm with weights',
    ],
    [`${PLAIN} --structural --target-macs 50% --ignore none`, "no layer matches 'none'"],
    [`${PLAIN} --structural --target-macs 50% --floor 0.9 --max-drop 1%`, 'give one of them'],
    [`${PLAIN} --target-sparsity 0.5 --distill`, '--distill has no part here: it is for --structural'],
    [`${PLAIN} --target-macs 50%`, '--target-macs has no part here: it is for --structural'],
    [`${PLAIN} --target-sparsity 0.5 --keep-at-least 2`, '--keep-at-least has no part here'],
    [`${PLAIN} --target-sparsity 0.5 --scope isomorphic`, '--scope isomorphic is for --structural'],
    [`${PLAIN} --target-parameters 50%`, '--target-parameters: a share is for --structural'],
    [`${PLAIN} --target-size 50%`, '--target-size: a share is for --structural'],
  ];
  for (const [line, says] of wrong) {
    it(`says what is wrong with ${line.slice(PLAIN.length)}`, async () => {
      const { code, out, err } = await typed(line);
      expect([code, out]).toEqual([2, '']);
      expect(err).toContain(says);
      expect(existsSync(at('x.onnx'))).toBe(false);
    });
  }
});
