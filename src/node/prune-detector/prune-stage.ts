import { exportDetector, rawDetector, shrinkDetector } from '../../detect/index.ts';
import { analyzeChannels, groupChannels, mergePlans, planText } from '../../structural/index.ts';
import type { ShrinkHistory } from '../../train/index.ts';
import { fileCheckpoint } from '../checkpoint-file.ts';
import { writeFileAtomic } from '../file.ts';
import { readModel, writeModel } from '../model.ts';
import { writeTensors } from '../tensors.ts';
import { CHECKPOINTS, FILES } from './files.ts';
import { PRUNE_DETECTOR_DEFAULTS } from './options.ts';
import type { DetectorRun } from './run.ts';
import { withTrainingData } from './training-data.ts';

/** Cuts the dense model in rounds with training between, and writes what is left: model, weights, and the plan that leads from the one to the other. */
export async function pruneStage(run: DetectorRun): Promise<ShrinkHistory> {
  const { options, folder, names, size, seed } = run;
  const { target, shrink = {}, signal } = options;
  const { rounds, finetuneEpochs: epochs } = { ...PRUNE_DETECTOR_DEFAULTS, ...options };
  const hyperparameters = options.finetuneHyperparameters ?? options.hyperparameters;
  const detector = rawDetector(readModel(folder.path(FILES.dense)));
  const { model, history } = await withTrainingData(run, 'prune', (common) =>
    shrinkDetector({
      ...common,
      detector,
      epochs,
      ...(hyperparameters === undefined ? {} : { hyperparameters }),
      target,
      rounds,
      shrink: { seed, ...shrink },
      checkpoint: fileCheckpoint(folder.path(CHECKPOINTS.prune)),
      ...(signal ? { signal } : {}),
      onRound: (record) => run.tell({ kind: 'round', record }),
      onEpoch: (record, { round }) => run.tell({ kind: 'epoch', round, epochs, record }),
      onProgress: ({ round, epoch, batch, batches, means }) =>
        run.tell({
          kind: 'progress',
          stage: 'prune',
          title: `round ${round}/${rounds}, epoch ${epoch}/${epochs}`,
          done: ((round - 1) * epochs + epoch - 1) * batches + batch,
          total: rounds * epochs * batches,
          ...(means.loss === undefined ? {} : { loss: means.loss }),
        }),
    }),
  );
  model.eval();
  const { anchors, strides, graph } = detector;
  const shapes = { [graph.feeds[0]!.name]: [1, 3, size, size] };
  const groups = groupChannels(analyzeChannels(graph, { shapes }), {
    ...(shrink.heads === undefined ? {} : { heads: shrink.heads }),
  });
  const plan = history.plans.length === 0 ? null : mergePlans(history.plans, groups);
  const text = plan === null ? 'null\n' : planText(plan);
  writeFileAtomic(folder.path(FILES.plan), [new TextEncoder().encode(text)], { force: true });
  writeTensors(model.stateDict(), folder.path(FILES.prunedWeights), { force: true });
  writeModel(exportDetector(model, { anchors, strides, names, size }), folder.path(FILES.pruned), {
    force: true,
  });
  return history;
}
