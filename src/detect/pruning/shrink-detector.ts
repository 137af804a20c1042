import type { GraphModule } from '../../nn/index.ts';
import {
  type RoundCutOptions,
  type ShrinkHistory,
  type ShrinkRoundsOptions,
  shrinkInRounds,
} from '../../train/index.ts';
import type { RawDetector } from '../raw-detector.ts';
import { type DetectorTrainingOptions, detectorTraining } from '../training/detector-training.ts';

/** Options of `shrinkDetector`; epochs and what else belongs to training are of the training after each cut. */
export interface ShrinkDetectorOptions
  extends Omit<DetectorTrainingOptions, 'anchors' | 'strides'>,
    Pick<
      ShrinkRoundsOptions,
      | 'target'
      | 'rounds'
      | 'floor'
      | 'checkpoint'
      | 'checkpointEvery'
      | 'resume'
      | 'signal'
      | 'onRound'
      | 'onProgress'
      | 'onEpoch'
    > {
  /** What `rawDetector` gives of a trained detector. */
  readonly detector: RawDetector;
  /** Which channels go. The loss of importance methods that take gradients is the detector's. */
  readonly shrink?: Omit<RoundCutOptions, 'shapes'>;
}

/**
 * Makes a trained detector smaller in rounds: channels are cut with everything that hangs on them, each cut is proven, and what is left is trained on as YOLOv5 trains; of each round the best epoch is kept. The layers that give the
 * maps stay. A case of `shrinkInRounds`; the model that comes of it gives raw maps. The detector given is not changed.
 *
 * Throws as `shrinkInRounds` and `detectorTraining`.
 */
export async function shrinkDetector(
  options: ShrinkDetectorOptions,
): Promise<{ readonly model: GraphModule; readonly history: ShrinkHistory }> {
  const { detector, size, shrink = {}, threads } = options;
  const { anchors, strides, graph } = detector;
  const { loss, train, validation, finetune } = detectorTraining({ ...options, anchors, strides });
  const { target, rounds, floor, checkpoint, checkpointEvery, resume } = options;
  const { signal, onRound, onProgress, onEpoch } = options;
  return shrinkInRounds({
    model: graph,
    data: { train, validation },
    target,
    ...(rounds === undefined ? {} : { rounds }),
    shrink: {
      ...(threads === undefined ? {} : { threads }),
      ...shrink,
      importance: {
        method: 'l2',
        fallback: 'l2',
        loss: (outputs, targets) => loss.terms(outputs, targets).loss,
        ...shrink.importance,
      },
      shapes: { [graph.feeds[0]!.name]: [1, 3, size, size] },
    },
    finetune,
    ...(floor === undefined ? {} : { floor }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
    ...(resume === undefined ? {} : { resume }),
    ...(signal ? { signal } : {}),
    ...(onRound ? { onRound } : {}),
    ...(onProgress ? { onProgress } : {}),
    ...(onEpoch ? { onEpoch } : {}),
  });
}
