import type { DetectorHyperparameters, PrunedDetectorOutcome } from '../../detect/index.ts';
import type { EpochRecord, RoundCutOptions, ShrinkRoundRecord, ShrinkTarget } from '../../train/index.ts';
import type { BrokenImage } from '../image-folder.ts';

/** What a run does where nothing is said: trained so long, half of YOLOv5n's multiply-accumulates lose nothing on BCCD (docs/experiments.md). */
export const PRUNE_DETECTOR_DEFAULTS = { rounds: 1, epochs: 30, finetuneEpochs: 60 } as const;

/** What `pruneDetector` does. */
export interface PruneDetectorOptions {
  /** A YOLOv5: a checkpoint (.pt, .pth, .th, .safetensors) or an ONNX file, with decoded boxes or raw maps. */
  readonly model: string;
  /** YOLO data yaml with the parts `train` and `val`, and `test` where there is one. */
  readonly data: string;
  /** Folder that all goes into; a run that was stopped goes on from what it holds. */
  readonly folder: string;
  readonly target: ShrinkTarget;
  /** Cuts, each with training after it. Default 1. */
  readonly rounds?: number;
  /** Epochs of the dense model on the data; 0 takes it as it is. Default 30. */
  readonly epochs?: number;
  /** Epochs after each cut. Default 60. */
  readonly finetuneEpochs?: number;
  /** Size of the images in pixels, a multiple of 32. Default 320. */
  readonly size?: number;
  /** Default 16. */
  readonly batchSize?: number;
  /** Of the dense model's training; where left out Ultralytics' usual ones, but an update each batch (`nbs`): one's own images are few. */
  readonly hyperparameters?: Partial<DetectorHyperparameters>;
  /** Of the training after each cut; as those of the dense model by default. */
  readonly finetuneHyperparameters?: Partial<DetectorHyperparameters>;
  /** Let learning rates fall along half a cosine; default along a line. */
  readonly cosine?: boolean;
  /** Parameters that do not change while the dense model is trained; see `freeze`. */
  readonly freeze?: readonly string[];
  /** Which channels go. */
  readonly shrink?: Omit<RoundCutOptions, 'shapes'>;
  /** Where decoded training images are kept; by default in memory where they fit. */
  readonly cache?: 'memory' | 'disk' | false;
  /** Only the first images of each part of the data. */
  readonly limit?: number;
  /** Images that are shown before and after. Default 6. */
  readonly images?: number;
  /** Default 0. */
  readonly seed?: number;
  readonly threads?: number;
  /** Begin anew where the folder holds a run. Default false. */
  readonly force?: boolean;
  /** How to make it again, for the report. */
  readonly command?: string;
  /** Versions of what made it, for the report. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Stops after the batch under way, writes a checkpoint, and throws the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: PruneDetectorEvent) => void;
}

/** Stages of a run, in order. */
export const PRUNE_DETECTOR_STAGES = [
  'train',
  'judge',
  'prune',
  'judge-pruned',
  'latency',
  'images',
  'report',
] as const;

/** A stage of a run. */
export type PruneDetectorStage = (typeof PRUNE_DETECTOR_STAGES)[number];

/** What a run tells as it goes on. */
export type PruneDetectorEvent =
  /** A stage begins; `known` where it was done by an earlier call. */
  | { readonly kind: 'stage'; readonly stage: PruneDetectorStage; readonly known: boolean }
  /** Something to be known, a sentence. */
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'broken'; readonly broken: readonly BrokenImage[] }
  /** How far a stage is: steps that are done, and how many there are in all. */
  | {
      readonly kind: 'progress';
      readonly stage: PruneDetectorStage;
      readonly title: string;
      readonly done: number;
      readonly total: number;
      readonly loss?: number;
    }
  /** An epoch is over; `round` is 0 for the dense model. */
  | { readonly kind: 'epoch'; readonly round: number; readonly epochs: number; readonly record: EpochRecord }
  | { readonly kind: 'round'; readonly record: ShrinkRoundRecord };

/** What came of it, and the files. */
export interface PrunedDetector extends PrunedDetectorOutcome {
  /** Paths, those of the images apart. */
  readonly files: Readonly<
    Record<'dense' | 'pruned' | 'denseWeights' | 'prunedWeights' | 'plan' | 'report' | 'json', string>
  >;
  /** Seconds of each stage. */
  readonly seconds: Readonly<Record<string, number>>;
  /** What else is to be known, a sentence each. */
  readonly notes: readonly string[];
}
