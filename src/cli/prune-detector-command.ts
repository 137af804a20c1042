import {
  type PruneDetectorEvent,
  type PruneDetectorOptions,
  type PruneDetectorStage,
  pruneDetector,
  readBytes,
  readHyperparameters,
} from '../node/index.ts';
import { importanceMethod } from '../structural/index.ts';
import type { ShrinkTarget } from '../train/index.ts';
import { interruptible } from './interrupt.ts';
import type { PruneDetectorCommandOptions } from './prune-detector-options.ts';
import { epochHead, epochLine, outcomeLines } from './prune-detector-text.ts';
import { tellBroken } from './tell-broken.ts';
import { type ProgressBar, withBar } from './training-progress.ts';
import { engineVersion } from './training-report.ts';
import { UsageError } from './usage-error.ts';
import { VERSION } from './version.ts';

const TITLES: Readonly<Record<PruneDetectorStage, string>> = {
  train: 'training the dense model',
  judge: 'judging the dense model',
  prune: 'cutting and training in rounds',
  'judge-pruned': 'judging the pruned model',
  latency: 'measuring latency',
  images: 'finding objects in images',
  report: 'writing the report',
};

/** `secateur prune-detector MODEL --data FILE.yaml -o FOLDER`: trains, judges, cuts, judges again and shows, in a folder that a stopped run goes on from. */
export async function pruneDetectorCommand(
  source: string,
  options: PruneDetectorCommandOptions,
): Promise<void> {
  const { json = false } = options;
  const own = settingsOf(source, options);
  const result = await interruptible(
    (signal) => withBar((bar) => pruneDetector({ ...own, signal, onEvent: teller(bar, json) })),
    () => `${options.output} holds what was done so far; to go on, the same again:\n  ${options.line}`,
  );
  if (json) {
    process.stdout.write(new TextDecoder().decode(readBytes(result.files.json)));
    return;
  }
  process.stdout.write(`\n${outcomeLines(result, options.output).join('\n')}\n`);
}

function settingsOf(source: string, options: PruneDetectorCommandOptions): PruneDetectorOptions {
  const { importance, scope, roundTo, maxRatio, ignore, hyp, finetuneHyp, cache, cosLr } = options;
  const { freeze, limit, threads, force } = options;
  return {
    model: source,
    data: options.data,
    folder: options.output,
    target: targetOf(options),
    rounds: options.rounds,
    epochs: options.epochs,
    finetuneEpochs: options.finetuneEpochs,
    size: options.size,
    batchSize: options.batchSize,
    images: options.images,
    seed: options.seed,
    command: options.line.replace(/ --force(?= |$)/, ''),
    versions: { secateur: VERSION, node: process.versions.node, ...engineVersion() },
    shrink: {
      importance: { method: importanceMethod(importance).name },
      ...(scope === 'layer' ? {} : { scope }),
      ...(roundTo === 1 ? {} : { roundTo }),
      ...(maxRatio === undefined ? {} : { maxRatio }),
      ...(ignore === undefined ? {} : { ignore }),
    },
    ...(hyp === undefined ? {} : { hyperparameters: readHyperparameters(hyp) }),
    ...(finetuneHyp === undefined ? {} : { finetuneHyperparameters: readHyperparameters(finetuneHyp) }),
    ...(cosLr === undefined ? {} : { cosine: cosLr }),
    ...(freeze === undefined ? {} : { freeze }),
    ...(cache === undefined ? {} : { cache: cache === 'none' ? false : cache }),
    ...(limit === undefined ? {} : { limit }),
    ...(threads === undefined ? {} : { threads }),
    ...(force === undefined ? {} : { force }),
  };
}

/** The one target that was given; half the multiply-accumulates where none was. Throws UsageError for several. */
function targetOf({ macs, ratio, params, fileSize, latency }: PruneDetectorCommandOptions): ShrinkTarget {
  const given: ShrinkTarget[] = [
    ...(macs === undefined ? [] : [{ macs }]),
    ...(ratio === undefined ? [] : [{ ratio }]),
    ...(params === undefined ? [] : [{ parameters: params }]),
    ...(fileSize === undefined ? [] : [{ fileSize }]),
    ...(latency === undefined ? [] : [{ latency }]),
  ];
  if (given.length > 1) {
    throw new UsageError(
      'prune-detector takes one target, not several: --macs 50%, --ratio 0.5, --params 50%, --file-size 60% or --latency 20ms',
    );
  }
  return given[0] ?? { macs: { share: 0.5 } };
}

/** Writes stages and a line for each epoch as they come, but where JSON is printed; a bar where there is a terminal. */
function teller(bar: ProgressBar, json: boolean): (event: PruneDetectorEvent) => void {
  const say = (line: string): void => {
    if (json) return;
    bar.clear();
    process.stdout.write(`${line}\n`);
  };
  let round = -1;
  return (event) => {
    switch (event.kind) {
      case 'stage':
        say(`${TITLES[event.stage]}${event.known ? ': done before' : ''}`);
        return;
      case 'note':
        say(`  ${event.text}`);
        return;
      case 'broken':
        bar.clear();
        tellBroken(event.broken);
        return;
      case 'progress': {
        const { title, done, total, loss } = event;
        bar.show({
          title,
          done,
          total,
          ...(loss === undefined ? {} : { details: `loss ${loss.toPrecision(3)}` }),
        });
        return;
      }
      case 'epoch':
        if (event.round !== round) say(`  ${epochHead()}`);
        round = event.round;
        say(`  ${epochLine(event.round, event.record, event.epochs)}`);
        return;
      case 'round': {
        const { record } = event;
        say(
          `  round ${record.round}: ${record.cost.macs.toLocaleString('en-US')} MACs, ${record.cost.parameters.toLocaleString('en-US')} parameters; mAP50 ${figure(record.before.map50)} just cut, ${figure(record.after.map50)} trained`,
        );
        return;
      }
    }
  };
}

const figure = (value: number | undefined): string => (value === undefined ? '–' : value.toFixed(3));
