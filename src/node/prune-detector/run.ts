import type { StagedRun } from '../staged-run.ts';
import type { YoloDataset } from '../yolo-data.ts';
import type { PruneDetectorEvent, PruneDetectorOptions } from './options.ts';

/** Parts of the data; without a test part images are shown of `val`. */
export interface Splits {
  readonly train: YoloDataset;
  readonly val: YoloDataset;
  readonly test: YoloDataset | null;
}

/** What all stages of a run share. */
export interface DetectorRun {
  readonly folder: StagedRun;
  readonly options: PruneDetectorOptions;
  readonly names: readonly string[];
  readonly splits: Splits;
  readonly size: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly tell: (event: PruneDetectorEvent) => void;
}

/** Threads as they are asked for, where they are. */
export const threadsOf = ({ options: { threads } }: DetectorRun): { readonly threads?: number } =>
  threads === undefined ? {} : { threads };
