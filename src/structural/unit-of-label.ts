import type { ChannelGroups } from './groups.ts';

/**
 * The unit that each label goes with; -1 where it stays whatever goes. It is read off from what `keptLabels` says when the units go whose number has a given binary digit, one digit after the other. Linear in labels, times the
 * digits of the number of units.
 */
export function unitOfLabel(groups: ChannelGroups): Int32Array {
  const { unitCount } = groups;
  const units = new Int32Array(groups.coupling.labelCount);
  groups.keptLabels(new Uint8Array(unitCount).fill(1)).forEach((stays, label) => {
    if (stays === 1) units[label] = -1;
  });
  for (let digit = 1; digit < unitCount; digit *= 2) {
    const removed = Uint8Array.from({ length: unitCount }, (_, unit) =>
      Math.floor(unit / digit) % 2 === 1 ? 1 : 0,
    );
    groups.keptLabels(removed).forEach((stays, label) => {
      if (stays === 0) units[label]! += digit;
    });
  }
  return units;
}
