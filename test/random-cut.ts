/** Choices of channels made at random, as tests of cuts need them. */
import type { Generator } from '../src/core/random.ts';
import type { ChannelGroups } from '../src/structural/index.ts';

/**
 * Units taken at random in the steps their lanes allow: about `ratio` of each lane, at least one step where there is one. What something needs to the last is left whole.
 */
export function randomUnits(groups: ChannelGroups, random: Generator, ratio: number): Uint8Array {
  const removed = new Uint8Array(groups.unitCount);
  for (const { cells, drop, maxSteps } of groups.lanes) {
    const most = Math.min(...cells.map((cell, index) => cell.length / drop[index]!));
    const steps = Math.min(maxSteps, Math.max(1, Math.floor(ratio * most)));
    cells.forEach((cell, index) => {
      const order = random.randperm(cell.length).slice(0, steps * drop[index]!);
      for (const place of order) removed[cell[Number(place)]!] = 1;
    });
  }
  for (const needed of groups.needed) {
    if (needed.some((unit) => removed[unit] === 0)) continue;
    const lane = groups.lanes.find(({ cells }) => cells.some((cell) => cell.includes(needed[0]!)));
    for (const unit of lane?.cells.flatMap((cell) => [...cell]) ?? []) removed[unit] = 0;
  }
  return removed;
}
