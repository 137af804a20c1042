import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PRUNE_DETECTOR_DEFAULTS } from '../src/node/index.ts';
import { type Result, secateur } from './run-command.ts';
import { writeSquares, writeTinyDetector } from './square-files.ts';

let folder = '';
const at = (...names: string[]): string => join(folder, ...names);

/** `FOLDER/` in the arguments stands for the folder of this test. */
const typed = (line: string): Promise<Result> =>
  secateur(...line.split(' ').map((text) => text.replace('FOLDER', () => folder)));

const PRUNE = 'prune-detector FOLDER/tiny.onnx --data FOLDER/data.yaml';
const SMALL = '--size 64 --batch-size 4 --epochs 1 --finetune-epochs 1 --rounds 1 --round-to 2 --threads 1';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-prune-detector-'));
  await writeSquares(folder, { train: 4, val: 4, test: 4 });
  writeTinyDetector(at('tiny.onnx'));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe('secateur prune-detector', () => {
  it('has the defaults of pruneDetector', async () => {
    const help = (await secateur('prune-detector', '--help')).out.replaceAll(/\s+/g, ' ');
    const { rounds, epochs, finetuneEpochs } = PRUNE_DETECTOR_DEFAULTS;
    expect(help).toContain(`--rounds <n> cut and fine-tune so many times (default: ${rounds})`);
    expect(help).toContain(`0 takes the model as it is (default: ${epochs})`);
    expect(help).toContain(`--finetune-epochs <n> epochs after each cut (default: ${finetuneEpochs})`);
  });

  it('tells stages and epochs as they come, and what it came to; again it has nothing to do', async () => {
    writeFileSync(at('hyp.yaml'), 'lr0: 0.02\nnbs: 4\n');
    const line = `${PRUNE} -o FOLDER/half --macs 60% ${SMALL} --images 1 --hyp FOLDER/hyp.yaml`;
    const { code, out, err } = await typed(line);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(
      /^training the dense model\n {2}ONNX file, [\d,]+ parameters; all weights are those of the file\n/,
    );
    expect(out).toMatch(/\n {2}anchors stay: there is one for 100\.0 % of 4 boxes\n/);
    expect(out).toMatch(/\n {2}epoch +box +obj +cls +P +R +mAP50 +mAP50-95 +time\n {2}1\/1 +\d\.\d{4} +\d/);
    expect(out).toMatch(/\n {2}1: 1\/1 +\d\.\d{4} +\d/);
    expect(out).toMatch(
      /\n {2}round 1: [\d,]+ MACs, [\d,]+ parameters; mAP50 \d\.\d{3} just cut, \d\.\d{3} trained\n/,
    );
    expect(out).toMatch(/\n +dense +pruned *\n/);
    expect(out).toMatch(/\nmAP50, val +\d\.\d{3} +\d\.\d{3} +[+-]\d\.\d{3}\n/);
    expect(out).toMatch(/\nmAP50-95, test +\d/);
    expect(out).toMatch(/\nMACs +[\d.]+ . +[\d.]+ . +x 0\.[56]\d+\n/);
    expect(out).toMatch(/\nlatency, 1 thread +[\d.]+ ms +[\d.]+ ms +x /);
    expect(out).toContain('ended               The target was met after 1 round.');
    expect(out).toMatch(/\nverified +3 outputs and \d+ layers on 1 random input/);
    for (const name of ['dense.onnx', 'pruned.onnx', 'plan.json', 'report.html', 'report.json'])
      expect(existsSync(at('half', name)), name).toBe(true);
    // The plan takes the dense model where the run has led.
    const cut = await typed(
      'apply FOLDER/half/plan.json FOLDER/half/dense.onnx -o FOLDER/cut.onnx --threads 1',
    );
    expect([cut.code, cut.err]).toEqual([0, '']);

    const again = await typed(`${line} --json`);
    expect([again.code, again.err]).toEqual([0, '']);
    expect(again.out).toBe(readFileSync(at('half', 'report.json'), 'utf8'));
    expect(JSON.parse(again.out).command).toMatch(/^secateur prune-detector /);
    const other = await typed(`${line} --seed 1`);
    expect([other.code, other.err]).toEqual([
      2,
      expect.stringMatching(
        /state\.json' was begun with seed 0, this run has 1; give the same options to go on/,
      ),
    ]);
  }, 180_000);

  it('says what does not fit before it does anything', async () => {
    const cases: [string, number, RegExp][] = [
      [`${PRUNE} -o FOLDER/x --macs 50% --ratio 0.5`, 2, /takes one target, not several: --macs 50%/],
      [`${PRUNE} -o FOLDER/x --macs 150%`, 2, /--macs/],
      [`${PRUNE} -o FOLDER/x --size 100`, 2, /size expects a multiple of 32, got 100/],
      [`${PRUNE} -o FOLDER/x --importance nonsense`, 2, /nonsense/],
      [`${PRUNE} -o FOLDER/x --hyp FOLDER/none.yaml`, 1, /none\.yaml.* cannot be read/],
      [`${PRUNE}`, 2, /required option '-o, --output <folder>' not specified/],
      ['prune-detector FOLDER/none.pt --data FOLDER/data.yaml -o FOLDER/x', 1, /none\.pt.* cannot be read/],
      [
        'prune-detector FOLDER/tiny.onnx --data FOLDER/none.yaml -o FOLDER/x',
        1,
        /none\.yaml.* cannot be read/,
      ],
      [
        'prune-detector FOLDER/tiny.onnx --data FOLDER/data.yaml -o FOLDER/tiny.onnx',
        1,
        /is a file; expected a folder/,
      ],
    ];
    for (const [line, code, message] of cases) {
      const result = await typed(line);
      expect([result.code, result.err], line).toEqual([code, expect.stringMatching(message)]);
      expect(existsSync(at('x')), line).toBe(false);
    }
  });
});
