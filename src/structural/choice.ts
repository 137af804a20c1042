import type { ChannelGroups } from './groups.ts';
import type { Step } from './lane-steps.ts';

/** What keeps a step from being taken: a group that may not lose so many, or of which the last that something needs would go. */
export interface Refusal {
  readonly group: number;
  readonly by: 'most' | 'needed';
}

/**
 * Units that are chosen to go, step by step. Steps of a lane are taken in order, and undone in the opposite one; whatever stands in here can be cut.
 */
export class Choice {
  readonly groups: ChannelGroups;
  /** 1: goes. */
  readonly removed: Uint8Array;
  /** How many units of each group go. */
  readonly lost: Int32Array;
  /** How many steps of each lane are taken. */
  readonly taken: Int32Array;
  /** How many units of each needed set stay. */
  readonly #left: Int32Array;
  readonly #neededBy: readonly (readonly number[])[];

  /** Nothing goes yet, or what goes in another choice. */
  constructor(groups: ChannelGroups, from: Choice | null = null) {
    this.groups = groups;
    if (from) {
      this.removed = from.removed.slice();
      this.lost = from.lost.slice();
      this.taken = from.taken.slice();
      this.#left = from.#left.slice();
      this.#neededBy = from.#neededBy;
      return;
    }
    this.removed = new Uint8Array(groups.unitCount);
    this.lost = new Int32Array(groups.groups.length);
    this.taken = new Int32Array(groups.lanes.length);
    this.#left = Int32Array.from(groups.needed, ({ length }) => length);
    this.#neededBy = neededBy(groups);
  }

  copy(): Choice {
    return new Choice(this.groups, this);
  }

  /** True where the same units go. */
  equals(other: Choice): boolean {
    return this.removed.every((gone, unit) => gone === other.removed[unit]);
  }

  /** True where the step is the next of its lane. */
  isNext({ lane, number }: Step): boolean {
    return this.taken[lane] === number;
  }

  /** True where the step is the last one taken of its lane. */
  isLast({ lane, number }: Step): boolean {
    return this.taken[lane] === number + 1;
  }

  /** Why the step cannot be taken where group `g` may lose at most `most[g]` units; null where it can. */
  refusal({ units }: Step, most: Int32Array): Refusal | null {
    this.#count(units, 1);
    const full = units.find((unit) => {
      const group = this.#groupOf(unit);
      return this.lost[group]! > most[group]!;
    });
    const last = units.find((unit) => (this.#neededBy[unit] ?? []).some((set) => this.#left[set] === 0));
    this.#count(units, -1);
    if (full !== undefined) return { group: this.#groupOf(full), by: 'most' };
    return last === undefined ? null : { group: this.#groupOf(last), by: 'needed' };
  }

  take({ lane, units }: Step): void {
    this.#count(units, 1);
    for (const unit of units) this.removed[unit] = 1;
    this.taken[lane]!++;
  }

  undo({ lane, units }: Step): void {
    this.#count(units, -1);
    for (const unit of units) this.removed[unit] = 0;
    this.taken[lane]!--;
  }

  #count(units: Int32Array, sign: 1 | -1): void {
    for (const unit of units) {
      this.lost[this.#groupOf(unit)]! += sign;
      for (const set of this.#neededBy[unit] ?? []) this.#left[set]! -= sign;
    }
  }

  #groupOf(unit: number): number {
    return this.groups.groupOf[unit]!;
  }
}

/** For each unit, the needed sets it is in. */
function neededBy({ unitCount, needed }: ChannelGroups): readonly (readonly number[])[] {
  const sets: number[][] = Array.from({ length: unitCount }, () => []);
  needed.forEach((units, set) => {
    for (const unit of units) sets[unit]!.push(set);
  });
  return sets;
}
