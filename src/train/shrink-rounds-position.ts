import { type ModelCost, type Plan, parsePlan, type Reached } from '../structural/index.ts';
import type { Json } from './checkpoint.ts';
import type { EpochRecord } from './history.ts';
import { restoredScores } from './round.ts';
import type { GroupSizes } from './shrink-rounds-amount.ts';
import type { ShrinkHistory, ShrinkRoundRecord } from './shrink-rounds-options.ts';

/** What a cut came to, before fine-tuning. */
type CutRecord = Pick<
  ShrinkRoundRecord,
  'before' | 'cost' | 'cuts' | 'reached' | 'verified' | 'whyNot' | 'notes'
>;

/** What is remembered between rounds, as plain data. */
export interface Position {
  dense: Record<string, number>;
  denseCost: ModelCost;
  /** Of what is budgeted: the dense model's, for shares of it. */
  whole: number;
  /** Channels of the dense model, for ratios of them. */
  sizes: GroupSizes;
  /** Epochs of sparse training; null until it is over. */
  sparse: EpochRecord[] | null;
  rounds: ShrinkRoundRecord[];
  /** Rounds in which nothing could be cut. */
  skipped: number;
  /** All cuts so far, that of the round under way included. */
  plans: Plan[];
  /** What is going to be cut while the penalty on it grows, and how near that comes to a budget. */
  chosen: { plan: Plan; reached: Reached | null } | null;
  growing: EpochRecord[];
  cut: CutRecord | null;
  /** Wall time of the round under way, so far. */
  seconds: number;
  ended: ShrinkHistory['ended'] | null;
}

/** Where a run begins. */
export const newPosition = (): Position => ({
  dense: {},
  denseCost: { parameters: 0, macs: 0, weightBytes: 0 },
  whole: 0,
  sizes: {},
  sparse: null,
  rounds: [],
  skipped: 0,
  plans: [],
  chosen: null,
  growing: [],
  cut: null,
  seconds: 0,
  ended: null,
});

/** A position out of a checkpoint's JSON. Throws ArgumentError where a plan in it is none. */
export function restoredPosition(json: Json): Position {
  const position = json as unknown as Position;
  return {
    ...position,
    dense: restoredScores(position.dense),
    plans: position.plans.map((plan) => parsePlan(plan)),
    chosen: position.chosen && { ...position.chosen, plan: parsePlan(position.chosen.plan) },
    cut: position.cut && { ...position.cut, before: restoredScores(position.cut.before) },
    rounds: position.rounds.map((round) => ({
      ...round,
      before: restoredScores(round.before),
      after: restoredScores(round.after),
    })),
  };
}
