import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../core/errors.ts';
import {
  ChainedScheduler,
  ConstantLR,
  CosineAnnealingLR,
  CosineAnnealingWarmRestarts,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  type LrLambda,
  MultiplicativeLR,
  MultiStepLR,
  OneCycleLR,
  PolynomialLR,
  ReduceLROnPlateau,
  type Schedulable,
  type Schedule,
  type ScheduledGroup,
  type ScheduleState,
  SequentialLR,
  StepLR,
  scheduleByName,
  scheduleNames,
} from './index.ts';

interface Case {
  readonly scheduler: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly base: readonly number[];
  readonly optimizer: 'SGD' | 'Adam';
  readonly lrs: readonly (readonly number[])[];
  readonly momentums?: readonly (readonly number[])[];
  readonly metrics?: readonly number[];
}

const { cases } = JSON.parse(readFileSync(new URL('testdata/schedules.json', import.meta.url), 'utf8')) as {
  cases: Case[];
};

const LAMBDAS: Readonly<Record<string, LrLambda>> = {
  decay: (step) => 0.95 ** step,
  ramp: (step) => (step + 1) / 10,
};

const optimizerOf = (
  lrs: readonly number[],
  kind: 'SGD' | 'Adam' = 'SGD',
): { paramGroups: ScheduledGroup[] } => ({
  paramGroups: lrs.map((lr) => (kind === 'SGD' ? { lr, momentum: 0.9 } : { lr, betas: [0.9, 0.99] })),
});

function scheduleOf({ scheduler, args }: Case, optimizer: Schedulable): Schedule {
  if (!('lr_lambda' in args)) return scheduleByName(scheduler, optimizer, args);
  const lrLambda = (args.lr_lambda as string[]).map((name) => LAMBDAS[name]!);
  return scheduler === 'LambdaLR'
    ? new LambdaLR(optimizer, { lrLambda })
    : new MultiplicativeLR(optimizer, { lrLambda });
}

const lrs = ({ paramGroups }: Schedulable): number[] => paramGroups.map(({ lr }) => lr);
const momentums = ({ paramGroups }: Schedulable): number[] =>
  paramGroups.map(({ momentum, betas }) => betas?.[0] ?? momentum!);

function expectClose(got: readonly number[], expected: readonly number[], label: string): void {
  expect(got.length, label).toBe(expected.length);
  for (const [index, want] of expected.entries()) {
    const error = Math.abs(got[index]! - want);
    expect(error, `${label}: ${got[index]} for ${want}`).toBeLessThanOrEqual(1e-12 * Math.abs(want) + 1e-17);
  }
}

const titled = cases.map((one) => [`${one.scheduler} ${JSON.stringify(one.args)}`, one] as const);

describe("PyTorch's numbers", () => {
  it.each(titled)('%s', (_, one) => {
    const optimizer = optimizerOf(one.base, one.optimizer);
    const schedule = scheduleOf(one, optimizer);
    for (const [step, expected] of one.lrs.entries()) {
      if (step > 0) schedule.step(one.metrics?.[step - 1]);
      expect(schedule.lastEpoch).toBe(step);
      expectClose(lrs(optimizer), expected, `step ${step}`);
      if (one.momentums) expectClose(momentums(optimizer), one.momentums[step]!, `momentum at step ${step}`);
      expect(schedule.getLastLr()).toEqual(lrs(optimizer));
    }
  });

  it('cover every schedule', () => {
    const covered = new Set(cases.map(({ scheduler }) => scheduler));
    expect([...covered].sort()).toEqual([...scheduleNames, 'LambdaLR', 'MultiplicativeLR'].sort());
  });
});

describe('state', () => {
  it.each(titled)('goes on as if it had never stopped: %s', (_, one) => {
    for (let stop = 0; stop < one.lrs.length; stop++) {
      const first = optimizerOf(one.base, one.optimizer);
      const before = scheduleOf(one, first);
      for (let step = 0; step < stop; step++) before.step(one.metrics?.[step]);
      const text = JSON.stringify(before.stateDict());

      const second = optimizerOf(one.base, one.optimizer);
      const after = scheduleOf(one, second);
      after.loadStateDict(JSON.parse(text) as ScheduleState);
      expect(JSON.stringify(after.stateDict())).toBe(text);
      for (let step = stop; step < one.lrs.length; step++) {
        expect(lrs(second)).toEqual(lrs(first));
        if (one.momentums) expect(momentums(second)).toEqual(momentums(first));
        expect(after.getLastLr()).toEqual(before.getLastLr());
        if (step === one.lrs.length - 1) break;
        before.step(one.metrics?.[step]);
        after.step(one.metrics?.[step]);
      }
    }
  });

  it('brings options back, and a learning rate changed by hand', () => {
    const first = optimizerOf([1]);
    const before = new StepLR(first, { stepSize: 2, gamma: 0.5 });
    before.step();
    first.paramGroups[0]!.lr = 10;
    const second = optimizerOf([1]);
    const after = new StepLR(second, { stepSize: 7 });
    after.loadStateDict(before.stateDict());
    expect(lrs(second)).toEqual([10]);
    after.step();
    expect(lrs(second)).toEqual([5]);
  });

  it('is a copy', () => {
    const optimizer = optimizerOf([1]);
    const schedule = new ExponentialLR(optimizer, { gamma: 0.5 });
    const state = schedule.stateDict();
    const text = JSON.stringify(state);
    schedule.step();
    expect(JSON.stringify(state)).toBe(text);
    schedule.getLastLr()[0] = 7;
    expect(schedule.getLastLr()).toEqual([0.5]);
  });

  it('of another schedule, or of other groups, is refused and changes nothing', () => {
    const optimizer = optimizerOf([1, 2]);
    const schedule = new StepLR(optimizer, { stepSize: 2 });
    const before = JSON.stringify(schedule.stateDict());
    const other = new ExponentialLR(optimizerOf([1, 2]), { gamma: 0.5 }).stateDict();
    expect(() => schedule.loadStateDict(other)).toThrow('StepLR: the state is one of ExponentialLR');
    const fewer = new StepLR(optimizerOf([1]), { stepSize: 2 }).stateDict();
    expect(() => schedule.loadStateDict(fewer)).toThrow(
      "StepLR: the state's 'baseLrs' should be a list of 2 numbers, one a group, got [1]; load what stateDict of the same schedule gave",
    );
    const spoiled = { ...schedule.stateDict(), options: { stepSize: 'two', gamma: 0.1 } };
    expect(() => schedule.loadStateDict(spoiled)).toThrow(
      `StepLR options: the state's 'stepSize' should be a number, got "two"`,
    );
    expect(() =>
      schedule.loadStateDict({ ...schedule.stateDict(), options: { stepSize: 0, gamma: 1 } }),
    ).toThrow('StepLR: stepSize expects a whole number >= 1, got 0');
    expect(() => schedule.loadStateDict({})).toThrow(ArgumentError);
    expect(JSON.stringify(schedule.stateDict())).toBe(before);
  });

  it('of a chain is taken back whole or not at all', () => {
    const optimizer = optimizerOf([1]);
    const made = (): ChainedScheduler => {
      const schedulers = [
        new StepLR(optimizer, { stepSize: 2 }),
        new ExponentialLR(optimizer, { gamma: 0.5 }),
      ];
      return new ChainedScheduler(optimizer, { schedulers });
    };
    const chain = made();
    chain.step();
    const before = JSON.stringify(chain.stateDict());
    const states = chain.stateDict().schedulers as ScheduleState[];
    const spoiled = {
      ...chain.stateDict(),
      schedulers: [{ ...states[0], lastEpoch: 9, lr: [9] }, states[0]!],
    };
    expect(() => chain.loadStateDict(spoiled as ScheduleState)).toThrow(
      'ExponentialLR: the state is one of StepLR',
    );
    expect(JSON.stringify(chain.stateDict())).toBe(before);
    expect(() => chain.loadStateDict({ ...chain.stateDict(), schedulers: [] })).toThrow('a list of 2 states');
  });

  it('keeps the best metric of a plateau, none yet included', () => {
    const text = JSON.stringify(new ReduceLROnPlateau(optimizerOf([1]), { mode: 'max' }).stateDict());
    const optimizer = optimizerOf([1]);
    const schedule = new ReduceLROnPlateau(optimizer, { mode: 'max', patience: 0 });
    schedule.loadStateDict(JSON.parse(text) as ScheduleState);
    for (let step = 0; step < 5; step++) schedule.step(-1000 + step);
    expect(lrs(optimizer)).toEqual([1]);
  });
});

describe('going on with lastEpoch', () => {
  const rates = fc.double({ min: 1e-4, max: 1, noNaN: true });

  it('gives the same numbers as a run from the start (property)', () => {
    const makers: ((optimizer: Schedulable, lastEpoch?: number) => Schedule)[] = [
      (of, lastEpoch = -1) => new ExponentialLR(of, { gamma: 0.7, lastEpoch }),
      (of, lastEpoch = -1) => new PolynomialLR(of, { totalIters: 9, lastEpoch }),
      (of, lastEpoch = -1) => new CosineAnnealingWarmRestarts(of, { t0: 20, lastEpoch }),
      (of, lastEpoch = -1) => new LambdaLR(of, { lrLambda: LAMBDAS.decay!, lastEpoch }),
      (of, lastEpoch = -1) => new OneCycleLR(of, { maxLr: 1, totalSteps: 30, lastEpoch }),
    ];
    fc.assert(
      fc.property(
        rates,
        fc.nat({ max: makers.length - 1 }),
        fc.integer({ min: 1, max: 8 }),
        (lr, which, at) => {
          const whole = optimizerOf([lr]);
          const schedule = makers[which]!(whole);
          for (let step = 0; step < at; step++) schedule.step();
          const [{ initialLr } = { initialLr: 0 }] = whole.paramGroups;
          const resumed = { paramGroups: [{ lr: lrs(whole)[0]!, initialLr: initialLr!, momentum: 0.9 }] };
          // PyTorch's schedules take the epoch before the one they set.
          const second = makers[which]!(resumed, at - 1);
          expect(second.lastEpoch).toBe(at);
          expectClose(lrs(resumed), lrs(whole), 'resumed');
          schedule.step();
          second.step();
          expectClose(lrs(resumed), lrs(whole), 'next');
        },
      ),
    );
  });

  it('needs initialLr', () => {
    expect(() => new StepLR(optimizerOf([1]), { stepSize: 1, lastEpoch: 3 })).toThrow(
      "StepLR: initialLr is not specified in paramGroups[0] when resuming with lastEpoch 3; load the optimizer's state first",
    );
    expect(() => new StepLR(optimizerOf([1]), { stepSize: 1, lastEpoch: -2 })).toThrow(
      'StepLR: lastEpoch expects a whole number >= -1, got -2',
    );
  });
});

describe('single schedules', () => {
  it('ConstantLR with factor 0 comes back', () => {
    const optimizer = optimizerOf([0.5]);
    const schedule = new ConstantLR(optimizer, { factor: 0, totalIters: 2 });
    const seen = [0, 1, 2].map(() => {
      const [lr] = lrs(optimizer);
      schedule.step();
      return lr;
    });
    expect([...seen, ...lrs(optimizer)]).toEqual([0, 0, 0.5, 0.5]);
  });

  it('CosineAnnealingWarmRestarts goes to fractions of epochs', () => {
    const stepped = optimizerOf([1]);
    const placed = optimizerOf([1]);
    const one = new CosineAnnealingWarmRestarts(stepped, { t0: 2, tMult: 2 });
    const other = new CosineAnnealingWarmRestarts(placed, { t0: 2, tMult: 2 });
    for (let epoch = 1; epoch < 20; epoch++) {
      one.step();
      other.stepTo(epoch);
      expectClose(lrs(placed), lrs(stepped), `epoch ${epoch}`);
    }
    other.stepTo(0.5);
    expectClose(lrs(placed), [(1 + Math.cos(Math.PI / 4)) / 2], 'epoch 0.5');
    expect(other.lastEpoch).toBe(0);
    expect(() => other.stepTo(-1)).toThrow('expected a non-negative epoch, but got -1');
  });

  it('OneCycleLR does not step past its end', () => {
    const optimizer = optimizerOf([1]);
    const schedule = new OneCycleLR(optimizer, { maxLr: 1, totalSteps: 3 });
    for (let step = 0; step < 3; step++) schedule.step();
    const before = lrs(optimizer);
    expect(() => schedule.step()).toThrow(
      'OneCycleLR: tried to step 4 times; the specified number of total steps is 3',
    );
    expect(schedule.lastEpoch).toBe(3);
    expect(lrs(optimizer)).toEqual(before);
  });

  it('OneCycleLR is finite where a phase has no steps', () => {
    for (const pctStart of [0, 0.1, 0.5, 1]) {
      for (const threePhase of [false, true]) {
        const optimizer = optimizerOf([1]);
        const schedule = new OneCycleLR(optimizer, { maxLr: 1, totalSteps: 10, pctStart, threePhase });
        for (let step = 0; step < 9; step++) {
          expect(lrs(optimizer).every(Number.isFinite), `${pctStart} ${threePhase} ${step}`).toBe(true);
          schedule.step();
        }
      }
    }
  });

  it('ReduceLROnPlateau takes a metric that is not a number for no progress', () => {
    const optimizer = optimizerOf([1]);
    const schedule = new ReduceLROnPlateau(optimizer, { patience: 0 });
    schedule.step(1);
    schedule.step(Number.NaN);
    expectClose(lrs(optimizer), [0.1], 'after NaN');
    expect(() => schedule.step()).toThrow(
      'ReduceLROnPlateau: step needs the metric that should improve: step(loss)',
    );
  });

  it('SequentialLR takes schedules of schedules', () => {
    const optimizer = optimizerOf([1]);
    const warm = new LinearLR(optimizer, { startFactor: 0.5, totalIters: 2 });
    const inner = new ChainedScheduler(optimizer, {
      schedulers: [
        new ConstantLR(optimizer, { factor: 0.5, totalIters: 2 }),
        new StepLR(optimizer, { stepSize: 1 }),
      ],
    });
    const outer = new SequentialLR(optimizer, {
      schedulers: [warm, new SequentialLR(optimizer, { schedulers: [inner], milestones: [] })],
      milestones: [2],
    });
    const seen = [lrs(optimizer)[0]!];
    for (let step = 0; step < 5; step++) {
      outer.step();
      seen.push(lrs(optimizer)[0]!);
    }
    expectClose(seen, [0.5, 0.75, 0.5, 0.05, 0.01, 0.001], 'nested');
  });

  it('change nothing where options are refused', () => {
    const optimizer = { paramGroups: [{ lr: 1 }] };
    expect(() => new OneCycleLR(optimizer, { maxLr: 1, totalSteps: 4 })).toThrow(ArgumentError);
    expect(() => new StepLR(optimizer, { stepSize: 0 })).toThrow(ArgumentError);
    expect(optimizer).toEqual({ paramGroups: [{ lr: 1 }] });
  });
});

describe('messages', () => {
  const of = optimizerOf([1, 2]);
  const step = new StepLR(of, { stepSize: 1 });
  const elsewhere = new StepLR(optimizerOf([1]), { stepSize: 1 });
  const plateau = new ReduceLROnPlateau(of);
  const refused: readonly (readonly [string, () => unknown])[] = [
    ['StepLR: stepSize expects a whole number >= 1, got 0.5', () => new StepLR(of, { stepSize: 0.5 })],
    ['StepLR: gamma expects a number, got NaN', () => new StepLR(of, { stepSize: 1, gamma: Number.NaN })],
    [
      'MultiStepLR: milestones expects a whole number >= 0, got -1',
      () => new MultiStepLR(of, { milestones: [-1] }),
    ],
    [
      'ConstantLR: constant multiplicative factor expected to be between 0 and 1, got 1.1',
      () => new ConstantLR(of, { factor: 1.1 }),
    ],
    [
      'LinearLR: starting multiplicative factor expected to be greater than 0 and less or equal to 1, got 0',
      () => new LinearLR(of, { startFactor: 0 }),
    ],
    [
      'LinearLR: ending multiplicative factor expected to be between 0 and 1, got -1',
      () => new LinearLR(of, { endFactor: -1 }),
    ],
    ['LinearLR: totalIters expects a whole number >= 0, got -3', () => new LinearLR(of, { totalIters: -3 })],
    [
      'CosineAnnealingLR: tMax expects a whole number >= 1, got 0',
      () => new CosineAnnealingLR(of, { tMax: 0 }),
    ],
    [
      'CosineAnnealingWarmRestarts: t0 expects a whole number >= 1, got 0',
      () => new CosineAnnealingWarmRestarts(of, { t0: 0 }),
    ],
    [
      'CosineAnnealingWarmRestarts: tMult expects a whole number >= 1, got 1.5',
      () => new CosineAnnealingWarmRestarts(of, { t0: 1, tMult: 1.5 }),
    ],
    [
      'OneCycleLR: you must define either totalSteps or both epochs and stepsPerEpoch',
      () => new OneCycleLR(of, { maxLr: 1, epochs: 3 }),
    ],
    [
      'OneCycleLR: totalSteps expects a whole number >= 1, got 0',
      () => new OneCycleLR(of, { maxLr: 1, totalSteps: 0 }),
    ],
    [
      'OneCycleLR: epochs expects a whole number >= 1, got 0',
      () => new OneCycleLR(of, { maxLr: 1, epochs: 0, stepsPerEpoch: 1 }),
    ],
    [
      'OneCycleLR: expected pctStart to be a number between 0 and 1, but got 2',
      () => new OneCycleLR(of, { maxLr: 1, totalSteps: 2, pctStart: 2 }),
    ],
    [
      "OneCycleLR: annealStrategy must be one of 'cos' or 'linear', instead got 'square'",
      () => new OneCycleLR(of, { maxLr: 1, totalSteps: 2, annealStrategy: 'square' as never }),
    ],
    [
      'OneCycleLR: maxLr expects 2 values, one for each group, got 3',
      () => new OneCycleLR(of, { maxLr: [1, 2, 3], totalSteps: 2 }),
    ],
    [
      'OneCycleLR: the optimizer must support momentum or beta1 with `cycleMomentum` enabled; give { cycleMomentum: false }',
      () => new OneCycleLR({ paramGroups: [{ lr: 1 }] }, { maxLr: 1, totalSteps: 2 }),
    ],
    [
      'LambdaLR: lrLambda expects 2 values, one for each group, got 1',
      () => new LambdaLR(of, { lrLambda: [() => 1] }),
    ],
    [
      'MultiplicativeLR: lrLambda should be a function, but got number',
      () => new MultiplicativeLR(of, { lrLambda: 3 as never }),
    ],
    ['ReduceLROnPlateau: factor should be < 1.0, got 1', () => new ReduceLROnPlateau(of, { factor: 1 })],
    [
      "ReduceLROnPlateau: mode 'low' is unknown; expected min or max",
      () => new ReduceLROnPlateau(of, { mode: 'low' as never }),
    ],
    [
      "ReduceLROnPlateau: threshold mode 'x' is unknown; expected rel or abs",
      () => new ReduceLROnPlateau(of, { thresholdMode: 'x' as never }),
    ],
    [
      'ReduceLROnPlateau: minLr expects 2 values, one for each group, got 1',
      () => new ReduceLROnPlateau(of, { minLr: [0] }),
    ],
    [
      'SequentialLR: expects at least one scheduler, but got no scheduler',
      () => new SequentialLR(of, { schedulers: [], milestones: [] }),
    ],
    [
      'SequentialLR: expects number of schedulers provided to be one more than the number of milestone points, but got number of schedulers 1 and the number of milestones to be equal to 1',
      () => new SequentialLR(of, { schedulers: [step], milestones: [1] }),
    ],
    [
      'SequentialLR: milestones should rise, got [3, 2]',
      () => new SequentialLR(of, { schedulers: [step, step, step], milestones: [3, 2] }),
    ],
    [
      'SequentialLR: does not support ReduceLROnPlateau, which needs a metric at each step, but got one at index 1',
      () => new SequentialLR(of, { schedulers: [step, plateau as never], milestones: [1] }),
    ],
    [
      'ChainedScheduler: expects all schedulers to belong to the same optimizer, but the one at index 1 has another',
      () => new ChainedScheduler(of, { schedulers: [step, elsewhere] }),
    ],
    [
      `schedule 'Cyclic' is not known; expected ${scheduleNames.join(', ')}`,
      () => scheduleByName('Cyclic', of),
    ],
    ['StepLR: step_size must be given', () => scheduleByName('StepLR', of, {})],
    [
      "StepLR: 'size' is no argument; expected step_size, gamma, last_epoch",
      () => scheduleByName('StepLR', of, { size: 1 }),
    ],
    ['StepLR: step_size expects number, got "3"', () => scheduleByName('StepLR', of, { step_size: '3' })],
    [
      'SequentialLR: schedulers expects schedules, got [3]',
      () => scheduleByName('SequentialLR', of, { schedulers: [3], milestones: [] }),
    ],
  ];

  it.each(refused)('%s', (message, body) => {
    expect(body).toThrow(new ArgumentError(message));
  });

  it('scheduleByName takes any case, and None', () => {
    const args = { max_lr: 1, total_steps: 4, epochs: null };
    expect(scheduleByName('onecyclelr', optimizerOf([1]), args)).toBeInstanceOf(OneCycleLR);
  });
});
