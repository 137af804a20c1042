import { describeAnchors, exportDetector, type TrainedDetector, trainDetector } from '../../detect/index.ts';
import type { EpochRecord } from '../../train/index.ts';
import { fileCheckpoint } from '../checkpoint-file.ts';
import { writeModel } from '../model.ts';
import { writeTensors } from '../tensors.ts';
import { CHECKPOINTS, FILES } from './files.ts';
import { PRUNE_DETECTOR_DEFAULTS } from './options.ts';
import type { DetectorRun } from './run.ts';
import type { StartingDetector } from './starting-detector.ts';
import { withTrainingData } from './training-data.ts';

/** What came of the first stage. */
export interface TrainedDense {
  readonly epochs: readonly EpochRecord[];
  readonly notes: readonly string[];
}

/** Trains a model on the data, where it is asked for, and writes it as the dense one. */
export async function trainStage(run: DetectorRun, start: StartingDetector): Promise<TrainedDense> {
  const { options, names, size, folder } = run;
  const { epochs } = { ...PRUNE_DETECTOR_DEFAULTS, ...options };
  const notes = notesOn(start, names, epochs);
  for (const text of notes) run.tell({ kind: 'note', text });
  const trained = epochs === 0 ? null : await trainDense(run, start, epochs);
  const { anchors, strides } = trained ?? start;
  const { module } = start;
  module.eval();
  writeModel(exportDetector(module, { anchors, strides, names, size }), folder.path(FILES.dense), {
    force: true,
  });
  writeTensors(module.stateDict(), folder.path(FILES.denseWeights), { force: true });
  const anchorNotes = trained?.fit ? [describeAnchors(trained.fit)] : [];
  return {
    epochs: trained?.history.epochs ?? [],
    notes: [...notes, ...anchorNotes],
  };
}

async function trainDense(
  run: DetectorRun,
  { module, anchors, strides }: StartingDetector,
  epochs: number,
): Promise<TrainedDetector> {
  const { options, folder } = run;
  const { hyperparameters, freeze, signal } = options;
  return withTrainingData(run, 'train', (common) =>
    trainDetector({
      ...common,
      model: module,
      anchors,
      strides,
      epochs,
      ...(hyperparameters === undefined ? {} : { hyperparameters }),
      ...(freeze === undefined || freeze.length === 0 ? {} : { freeze }),
      checkpoint: fileCheckpoint(folder.path(CHECKPOINTS.train)),
      ...(signal ? { signal } : {}),
      onAnchors: (fit) => run.tell({ kind: 'note', text: describeAnchors(fit) }),
      onEpoch: (record) => run.tell({ kind: 'epoch', round: 0, epochs, record }),
      onProgress: ({ epoch, batch, batches, means }) =>
        run.tell({
          kind: 'progress',
          stage: 'train',
          title: `training the dense model, epoch ${epoch}/${epochs}`,
          done: (epoch - 1) * batches + batch,
          total: epochs * batches,
          ...(means.loss === undefined ? {} : { loss: means.loss }),
        }),
    }),
  );
}

function notesOn(
  { module, architecture, names, notFitting }: StartingDetector,
  wanted: readonly string[],
  epochs: number,
): string[] {
  const count = [...module.parameters()].reduce((sum, { size }) => sum + size, 0);
  const told = `${architecture}, ${count.toLocaleString('en-US')} parameters`;
  if (notFitting.length > 0) {
    const fresh = notFitting.map(({ name }) => name).join(', ');
    return [
      `${told}; for ${wanted.length} ${wanted.length === 1 ? 'class' : 'classes'} these begin anew: ${fresh}`,
      ...(epochs === 0
        ? ['the model is not trained on the classes of the data, and finds nothing: train it for some epochs']
        : []),
    ];
  }
  const isSame = names === null || names.join('\n') === wanted.join('\n');
  return [
    `${told}; all weights are those of the file`,
    ...(isSame
      ? []
      : [
          `the file calls its classes ${names.join(', ')}, the data ${wanted.join(', ')}; the data's names are taken`,
        ]),
  ];
}
