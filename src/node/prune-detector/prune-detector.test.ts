import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSquares, writeTinyDetector } from '../../../test/square-files.ts';
import { rawDetector } from '../../detect/index.ts';
import type { Graph } from '../../ir/index.ts';
import { profile } from '../../profile/index.ts';
import { parseReport } from '../../report/index.ts';
import { applyPlan, IMPORTANCE_METHODS, parsePlan } from '../../structural/index.ts';
import { readModel } from '../model.ts';
import { readTensors } from '../tensors.ts';
import type { PruneDetectorEvent, PruneDetectorOptions } from './options.ts';
import { pruneDetector } from './prune-detector.ts';

let root = '';
const at = (...names: string[]): string => join(root, ...names);
let count = 0;
const fresh = (): string => at(`run-${++count}`);

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'secateur-story-'));
  await writeSquares(root, { train: 8, val: 4, test: 4 });
  writeTinyDetector(at('tiny.onnx'));
}, 60_000);
afterAll(() => rmSync(root, { recursive: true }));

const options = (folder: string, more: Partial<PruneDetectorOptions> = {}): PruneDetectorOptions => ({
  model: at('tiny.onnx'),
  data: at('data.yaml'),
  folder,
  target: { macs: { share: 0.5 } },
  rounds: 2,
  epochs: 2,
  finetuneEpochs: 1,
  size: 64,
  batchSize: 4,
  images: 2,
  threads: 1,
  ...more,
});

const MODELS = ['dense.onnx', 'dense.safetensors', 'pruned.onnx', 'pruned.safetensors', 'plan.json'];
const bytesOf = (folder: string): Record<string, string> =>
  Object.fromEntries(MODELS.map((name) => [name, readFileSync(join(folder, name)).toString('base64')]));

/** Stages of a run that were done, in order; those done before in brackets. */
const stagesOf = (events: readonly PruneDetectorEvent[]): string =>
  events
    .flatMap((event) => (event.kind === 'stage' ? [event.known ? `(${event.stage})` : event.stage] : []))
    .join(' ');

const STAGES = 'train judge prune judge-pruned latency images report';

describe('pruneDetector', () => {
  it('goes from a model and images to a smaller model, with all that it came to', async () => {
    const folder = fresh();
    const events: PruneDetectorEvent[] = [];
    const result = await pruneDetector(
      options(folder, { onEvent: (event) => events.push(event), command: 'secateur x' }),
    );
    expect(stagesOf(events)).toBe(STAGES);
    const epochs = events.flatMap((event) =>
      event.kind === 'epoch' ? [[event.round, event.record.epoch]] : [],
    );
    expect(epochs).toEqual([
      [0, 1],
      [0, 2],
      [1, 1],
      [2, 1],
    ]);
    expect(result.training).toHaveLength(2);
    expect(result.rounds.rounds).toHaveLength(2);
    expect(result.rounds.rounds.every(({ verified }) => verified?.includes('agree'))).toBe(true);
    const { dense, pruned } = result;
    expect(pruned.macs / dense.macs).toBeCloseTo(0.5, 1);
    expect(dense.judged.map(({ split, images, instances }) => [split, images, instances])).toEqual([
      ['val', 4, 4],
      ['test', 4, 4],
    ]);
    // The best epoch is the model that is written, and judged.
    const best = Math.max(...result.training.map(({ validation }) => validation!.fitness!));
    expect(0.1 * dense.judged[0]!.map50 + 0.9 * dense.judged[0]!.map).toBeCloseTo(best, 6);
    expect(result.latency[0]).toMatchObject({ dense: { threads: 1 }, pruned: { threads: 1 } });
    // What stands in the files.
    const raw = rawDetector(readModel(join(folder, 'pruned.onnx')));
    expect(raw).toMatchObject({ names: ['red', 'blue'], anchorsFrom: 'metadata', strides: [8, 16, 32] });
    const { totals } = profile(raw.graph, { shapes: { images: [1, 3, 64, 64] } });
    expect(totals).toMatchObject({ macs: pruned.macs, parameters: pruned.parameters });
    const plan = parsePlan(readFileSync(join(folder, 'plan.json'), 'utf8'));
    const cut = await applyPlan(readModel(join(folder, 'dense.onnx')), plan, { verify: false });
    const shapes = (graph: Graph): string[] =>
      [...graph.initializers].map(({ name, initializer }) => `${name} ${initializer?.shape}`).sort();
    expect(shapes(rawDetector(cut.graph).graph)).toEqual(shapes(raw.graph));
    const weights = readTensors(join(folder, 'pruned.safetensors'));
    expect(weights.get('heads.0.weight')?.shape[0]).toBe(21);
    // Beside the models: the page, the numbers, the images; no checkpoint is left.
    const page = readFileSync(join(folder, 'report.html'), 'utf8');
    const report = parseReport(/id="report">(.*?)<\/script>/s.exec(page)![1]!);
    expect(report.sections.map(({ title }) => title)).toEqual([
      'What it came to',
      'Cost',
      'Images before and after',
      'By class',
      'Training of the dense model',
      'Rounds',
      'Training',
      'Channels',
      'Not cut, or less than asked',
      'Notes',
    ]);
    expect(page.match(/<img /g)).toHaveLength(4);
    expect(report.facts).toContainEqual(['target', '50 % of the multiply-accumulates']);
    const json = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'));
    expect(json).toMatchObject({
      command: 'secateur x',
      pruned: { macs: pruned.macs },
      names: ['red', 'blue'],
    });
    expect(readdirSync(join(folder, 'images')).sort()).toEqual([
      '1-0-dense.png',
      '1-0-pruned.png',
      '2-2-dense.png',
      '2-2-pruned.png',
    ]);
    expect(readdirSync(folder).filter((name) => name.includes('checkpoint'))).toEqual([]);

    // Called again it does nothing, and gives the same.
    const again: PruneDetectorEvent[] = [];
    const known = await pruneDetector(
      options(folder, { onEvent: (event) => again.push(event), command: 'secateur x' }),
    );
    expect(stagesOf(again)).toBe(STAGES.replace(/\S+/g, '($&)'));
    expect(JSON.parse(JSON.stringify(known))).toEqual(JSON.parse(JSON.stringify(result)));
  }, 180_000);

  it('goes on from wherever it was stopped, to the same bytes', async () => {
    const whole = fresh();
    await pruneDetector(options(whole));
    const stopped = fresh();
    const isEpoch = (event: PruneDetectorEvent, round: number): boolean =>
      event.kind === 'epoch' && event.round === round;
    const stops: readonly ((event: PruneDetectorEvent) => boolean)[] = [
      (event) => event.kind === 'progress' && event.stage === 'train',
      (event) => isEpoch(event, 0),
      (event) => event.kind === 'stage' && event.stage === 'judge',
      (event) => event.kind === 'progress' && event.stage === 'prune',
      (event) => isEpoch(event, 1),
      (event) => event.kind === 'round',
      (event) => event.kind === 'stage' && event.stage === 'images',
    ];
    for (const isStop of stops) {
      const controller = new AbortController();
      const { signal } = controller;
      const onEvent = (event: PruneDetectorEvent): void => {
        if (isStop(event)) controller.abort(new Error('stop'));
      };
      await expect(pruneDetector(options(stopped, { signal, onEvent }))).rejects.toThrow('stop');
    }
    const events: PruneDetectorEvent[] = [];
    await pruneDetector(options(stopped, { onEvent: (event) => events.push(event) }));
    expect(stagesOf(events)).toBe('(train) (judge) (prune) (judge-pruned) (latency) images report');
    expect(bytesOf(stopped)).toEqual(bytesOf(whole));
  }, 180_000);

  it('takes a model as it is, without a test part and with images on disk', async () => {
    const data = at('no-test.yaml');
    writeFileSync(data, 'train: images/train\nval: images/val\nnames: [red, blue]\n');
    const folder = fresh();
    const result = await pruneDetector(
      options(folder, {
        data,
        epochs: 0,
        rounds: 1,
        target: { ratio: 0.25 },
        cache: 'disk',
        images: 0,
        limit: 4,
      }),
    );
    expect(result.training).toEqual([]);
    expect(result.images).toEqual([]);
    expect(result.dense.judged.map(({ split }) => split)).toEqual(['val']);
    expect(result.pruned.parameters).toBeLessThan(result.dense.parameters);
    expect(existsSync(join(folder, 'images'))).toBe(false);
    const { dense } = { dense: readTensors(join(folder, 'dense.safetensors')) };
    expect(dense.get('stem.0.weight')?.float32).toEqual(
      [...readModel(at('tiny.onnx')).initializers].find(({ name }) => name === 'stem.0.weight')!.initializer!
        .float32,
    );
  });

  it.each(IMPORTANCE_METHODS.filter(({ needs }) => needs !== 'nothing').map(({ name }) => name))(
    'ranks channels by %s, which looks at images',
    async (method) => {
      const result = await pruneDetector(
        options(fresh(), { epochs: 0, rounds: 1, images: 0, shrink: { importance: { method } } }),
      );
      expect(result.pruned.macs / result.dense.macs).toBeCloseTo(0.5, 1);
    },
    60_000,
  );

  it('tells where a model and the data call classes otherwise, and where a model cannot know them', async () => {
    const noted = async (names: string): Promise<string[]> => {
      const data = at('named.yaml');
      writeFileSync(data, `train: images/train\nval: images/val\nnames: ${names}\n`);
      const notes: string[] = [];
      const controller = new AbortController();
      const onEvent = (event: PruneDetectorEvent): void => {
        if (event.kind === 'note') notes.push(event.text);
        if (event.kind === 'stage' && event.stage === 'judge') controller.abort(new Error('stop'));
      };
      const more = { data, epochs: 0, signal: controller.signal, onEvent };
      await expect(pruneDetector(options(fresh(), more))).rejects.toThrow('stop');
      return notes;
    };
    expect(await noted('[red, blue]')).toEqual([
      'ONNX file, 2,795 parameters; all weights are those of the file',
    ]);
    expect((await noted('[rot, blau]'))[1]).toBe(
      "the file calls its classes red, blue, the data rot, blau; the data's names are taken",
    );
    expect(await noted('[red, blue, green]')).toEqual([
      expect.stringMatching(/for 3 classes these begin anew: heads\.0\.weight, heads\.0\.bias, /),
      'the model is not trained on the classes of the data, and finds nothing: train it for some epochs',
    ]);
  });

  it('does not go on with other settings or other data', async () => {
    const folder = fresh();
    const controller = new AbortController();
    controller.abort(new Error('stop'));
    await expect(pruneDetector(options(folder, { signal: controller.signal }))).rejects.toThrow('stop');
    await expect(pruneDetector(options(folder, { rounds: 3 }))).rejects.toThrow(
      /was begun with rounds 2, this run has 3; give the same options to go on, another folder, or --force/,
    );
    await expect(pruneDetector(options(folder, { limit: 2 }))).rejects.toThrow(
      /begun with limit null, this run has 2/,
    );
    await expect(pruneDetector(options(folder, { hyperparameters: { lr0: 0.1 } }))).rejects.toThrow(
      /begun with hyperparameters \{"lr0":0.01/,
    );
  });

  it.each<[Partial<PruneDetectorOptions>, RegExp]>([
    [{ size: 100 }, /size expects a multiple of 32, got 100/],
    [{ rounds: 0 }, /rounds expects a whole number of at least 1, got 0/],
    [{ epochs: -1 }, /epochs expects a whole number of at least 0, got -1/],
    [{ hyperparameters: { lr0: -1 } }, /lr0 expects a number above 0, got -1/],
    [{ model: 'nowhere.pt' }, /nowhere\.pt.* cannot be read/],
    [{ data: 'nowhere.yaml' }, /nowhere\.yaml.* cannot be read/],
  ])('refuses %o before anything is written', async (more, message) => {
    const folder = fresh();
    await expect(pruneDetector(options(folder, more))).rejects.toThrow(message);
    expect(existsSync(folder)).toBe(false);
  });

  it('refuses data without labels, and what is no detector', async () => {
    const data = at('unlabelled.yaml');
    await writeSquares(at('bare'), { train: 2, val: 2 });
    rmSync(at('bare', 'labels', 'train'), { recursive: true });
    writeFileSync(data, 'path: bare\ntrain: images/train\nval: images/val\nnames: [red, blue]\n');
    await expect(pruneDetector(options(fresh(), { data }))).rejects.toThrow(
      /the 2 training images of '.*unlabelled\.yaml' have no labels; are they in folders called labels beside images\?/,
    );
    writeFileSync(at('model.txt'), 'no model');
    const other = fresh();
    await expect(pruneDetector(options(other, { model: at('model.txt'), force: true }))).rejects.toThrow(
      /'.*model\.txt' is no model to prune; expected a YOLOv5 as \.onnx, \.pt, \.pth, \.th or \.safetensors/,
    );
    expect(existsSync(other)).toBe(false);
  });
});
