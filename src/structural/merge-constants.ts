import type { ChannelView } from './channel-view.ts';
import type { ConstantChannels } from './constant-channels.ts';
import { FOLDED_DTYPES, type Merge } from './fold-constants.ts';
import type { ObservedChannels } from './observed-channels.ts';
import type { WeightedSum } from './weighted-sum.ts';

/** What is known of the channels when it is decided which of them go. */
export interface MergeFacts {
  readonly view: ChannelView;
  readonly constants: ConstantChannels;
  readonly observed: ObservedChannels;
  /** The unit of each label, -1 for none. */
  readonly units: Int32Array;
  /** For each unit 1 where it is to go. */
  readonly removed: Uint8Array;
}

/** How constant channels of a sum are merged, or which units must stay, and why, before it can be asked again. */
export type MergePlan =
  | { readonly merges: readonly Merge[] }
  | { readonly stay: readonly { readonly unit: number; readonly why: string }[] };

/** A channel must hold at least this share of the greatest number that is merged into it: else ratios grow, and with them rounding. */
const LEAST_SHARE = 2 ** -6;

/**
 * Constant channels of a sum that pads its input add something else at the borders, and no bias can stand for them. But one of them can stand for all: `Σ c_i W[o, i] = c_k (Σ (c_i / c_k) W[o, i])`. One of each group of the
 * sum stays therefore, or a constant channel that stays anyway is taken.
 *
 * @param inputs the input channels that are to go and hold constants other than 0
 */
export function planMerges(sum: WeightedSum, inputs: readonly number[], facts: MergeFacts): MergePlan {
  const { units, removed } = facts;
  const unitOf = (input: number): number => units[sum.reads![input]!]!;
  const stay = (which: readonly number[], why: string): MergePlan => ({
    stay: which.map((input) => ({ unit: unitOf(input), why })),
  });
  if (!isEditable(sum))
    return stay(
      inputs,
      `it is constant but not zero where ${sum.node.label} reads it, whose sums of it differ from place to place, and whose weight others share`,
    );
  const held = heldBy(sum, facts);
  const placed = inputs.filter((input) => held(input) === null);
  if (placed.length > 0) {
    return stay(placed, `it is constant, but not the same everywhere where ${sum.node.label} reads it`);
  }
  const merges: Merge[] = [];
  for (const group of groupsOf(sum, inputs)) {
    const most = Math.max(...group.map((input) => Math.abs(held(input)!)));
    const { first, count } = span(sum, group[0]!);
    let into = -1;
    for (let input = first; input < first + count; input++) {
      if (removed[unitOf(input)] === 1 || Math.abs(held(input) ?? 0) < LEAST_SHARE * most) continue;
      if (into < 0 || Math.abs(held(input)!) > Math.abs(held(into)!)) into = input;
    }
    if (into < 0) {
      const greatest = group.find((input) => Math.abs(held(input)!) === most)!;
      const others = group.length === 1 ? '' : `; it stands for ${group.length} such channels there`;
      return stay(
        [greatest],
        `it is constant but not zero where ${sum.node.label} reads it, whose sums of it differ from place to place${others}`,
      );
    }
    merges.push({
      into,
      from: group.map((input) => ({ input, ratio: held(input)! / held(into)! })),
    });
  }
  return { merges };
}

/** The weight of a sum can be changed where no one else reads it. */
function isEditable({ weight, node }: WeightedSum): boolean {
  if (!FOLDED_DTYPES.has(weight.initializer?.dtype ?? '') || weight.isOutput || weight.isInput) return false;
  let at = weight;
  for (;;) {
    const [use, ...others] = at.uses;
    if (!use || others.length > 0) return false;
    if (use.node === node) return true;
    // Through a Transpose and its kin.
    const [output] = use.node.outputs;
    if (!output || output.isOutput) return false;
    at = output;
  }
}

/** The number a constant input channel holds everywhere; null where it is not constant or not uniform. */
function heldBy(
  sum: WeightedSum,
  { view, constants, observed }: MergeFacts,
): (input: number) => number | null {
  return (input) => {
    const root = view.coupling.find(sum.reads![input]!);
    if (!constants.has(sum.input, root)) return null;
    const content = observed.content(sum.input, root);
    return content?.kind === 'uniform' ? content.value : null;
  };
}

function groupsOf(sum: WeightedSum, inputs: readonly number[]): number[][] {
  const groups = new Map<number, number[]>();
  for (const input of inputs) {
    const group = sum.groupOfInput(input);
    const own = groups.get(group);
    if (own) own.push(input);
    else groups.set(group, [input]);
  }
  return [...groups.values()];
}

/** The input channels of the group that one is in. */
function span(sum: WeightedSum, input: number): { readonly first: number; readonly count: number } {
  const count = sum.inputs / sum.groups;
  return { first: sum.groupOfInput(input) * count, count };
}
