import { statSync } from 'node:fs';
import { type DetectorHyperparameters, type TrainedDetector, warmupBatches } from '../detect/index.ts';
import { bytes } from './table.ts';
import type { OpenedDetector } from './train-detector-model.ts';
import type { TrainDetectorCommandOptions } from './train-detector-options.ts';
import type { JudgedFile } from './trained-detector.ts';

/** Notes on where the weights are from. */
export function transferText({ transfer }: OpenedDetector): string[] {
  if (transfer === null)
    return ['all weights begin anew; --weights FILE would take over those of a checkpoint that fit'];
  const { from, tensors, notFitting } = transfer;
  if (notFitting.length === 0) return [`all weights are those of ${from}`];
  const fresh = notFitting.map(({ name }) => name).join(', ');
  return [
    `${tensors - notFitting.length} of ${tensors} tensors are those of ${from}; for other classes these begin anew: ${fresh}`,
  ];
}

/** A note where a run is over before it has warmed up. */
export function warmupText(
  images: number,
  { batchSize, epochs }: Pick<TrainDetectorCommandOptions, 'batchSize' | 'epochs'>,
  { warmupEpochs }: DetectorHyperparameters,
): string[] {
  const batches = Math.max(1, Math.floor(images / batchSize));
  const warmup = warmupBatches(warmupEpochs, batches);
  if (epochs * batches > warmup) return [];
  return [
    `as in YOLOv5 the learning rate grows for ${warmup} batches, and this run has ${epochs * batches}: train for more than ${Math.ceil(warmup / batches)} epochs to learn at its full rate`,
  ];
}

/** What came of a run. */
export function outcomeLines(
  output: string,
  { history }: TrainedDetector,
  judged: readonly JudgedFile[],
): string[] {
  const figure = (value: number): string => value.toFixed(3);
  const { best, epochs, ended } = history;
  return [
    ...(ended === 'early-stopping' ? ['ended early         no better epoch within the patience'] : []),
    ...(best ? [`best epoch          ${best.epoch} of ${epochs.length}`] : []),
    ...judged.map(
      ({ split, result }) =>
        `${`on ${split}`.padEnd(20)}mAP50 ${figure(result.map50)}, mAP50-95 ${figure(result.map)}, precision ${figure(result.precision)}, recall ${figure(result.recall)}`,
    ),
    ...(judged.at(-1)?.result.classes ?? []).map(
      ({ name, map50, map }) => `${`  ${name}`.padEnd(20)}mAP50 ${figure(map50)}, mAP50-95 ${figure(map)}`,
    ),
    `wrote               ${output} (${bytes(statSync(output).size)})`,
  ];
}
