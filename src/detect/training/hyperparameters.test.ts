import { describe, expect, it } from 'vitest';
import { detectorHyperparameters, hyperparameterFile, parseHyperparameters } from './hyperparameters.ts';

describe('hyperparameters of a detector', () => {
  it('are those of hyp.scratch-low.yaml where nothing is said', () => {
    expect(detectorHyperparameters()).toEqual({
      lr0: 0.01,
      lrf: 0.01,
      momentum: 0.937,
      weightDecay: 0.0005,
      warmupEpochs: 3,
      warmupMomentum: 0.8,
      warmupBiasLr: 0.1,
      box: 0.05,
      cls: 0.5,
      clsPw: 1,
      obj: 1,
      objPw: 1,
      iouT: 0.2,
      anchorT: 4,
      flGamma: 0,
      hsvH: 0.015,
      hsvS: 0.7,
      hsvV: 0.4,
      degrees: 0,
      translate: 0.1,
      scale: 0.5,
      shear: 0,
      perspective: 0,
      flipud: 0,
      fliplr: 0.5,
      mosaic: 1,
      mixup: 0,
      copyPaste: 0,
      labelSmoothing: 0,
      nbs: 64,
    });
  });

  it('are read by the names of a yaml, and written by them', () => {
    const given = { lr0: 0.00334, warmup_bias_lr: 0.18657, fl_gamma: 1.5, hsv_h: 0.01, copy_paste: 0.1 };
    const read = parseHyperparameters({ ...given, anchors: 3.412 });
    expect(read).toEqual(
      detectorHyperparameters({
        lr0: 0.00334,
        warmupBiasLr: 0.18657,
        flGamma: 1.5,
        hsvH: 0.01,
        copyPaste: 0.1,
      }),
    );
    expect(hyperparameterFile(read)).toMatchObject(given);
    expect(parseHyperparameters(hyperparameterFile(read))).toEqual(read);
    expect(parseHyperparameters({ anchors: 0 })).toEqual(detectorHyperparameters());
  });

  it('suggest the name that was meant', () => {
    expect(() => parseHyperparameters({ warmup_epoch: 1 })).toThrow(
      "hyperparameters: 'warmup_epoch' is not known; did you mean 'warmup_epochs'?",
    );
    expect(() => parseHyperparameters({ giou: 1 })).toThrow(/'giou' is not known; expected some of lr0, lrf/);
    expect(() => detectorHyperparameters({ warmup_epochs: 1 } as never)).toThrow(
      "did you mean 'warmupEpochs'?",
    );
  });

  it('are numbers within bounds', () => {
    expect(() => parseHyperparameters({ lr0: 0 })).toThrow('lr0 expects a number above 0, got 0');
    expect(() => parseHyperparameters({ momentum: 1 })).toThrow(
      'momentum expects a number at least 0 and below 1, got 1',
    );
    expect(() => parseHyperparameters({ mosaic: 1.5 })).toThrow(
      'mosaic expects a number at least 0 and at most 1, got 1.5',
    );
    expect(() => parseHyperparameters({ anchor_t: 'four' })).toThrow(
      'anchor_t expects a number above 1, got "four"',
    );
    expect(() => parseHyperparameters({ box: Number.NaN })).toThrow(
      'box expects a number at least 0, got NaN',
    );
  });

  it('refuse what is no map, and other numbers of anchors', () => {
    expect(() => parseHyperparameters(null)).toThrow(
      'expected a map of names and numbers such as lr0: 0.01, got nothing',
    );
    expect(() => parseHyperparameters([1])).toThrow('got a list');
    expect(() => parseHyperparameters('lr0')).toThrow('got string');
    expect(() => parseHyperparameters({ anchors: 5 })).toThrow(
      'anchors is 5; only 3 for each map are supported',
    );
  });
});
