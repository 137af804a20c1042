import { attr, type Value } from '../ir/index.ts';
import type { UpgradeRule } from './operator.ts';

/** Starts, ends and axes were attributes until opset 9. */
const upgradeSlice: UpgradeRule = ({ node, opset, make, input }) => {
  const [starts, ends] = [node.ints('starts'), node.ints('ends')];
  if (opset >= 10 || !starts || !ends) return null;
  const axes = node.ints('axes') ?? starts.map((_, axis) => axis);
  return [make.op('Slice', [input(0), make.ints(starts), make.ints(ends), make.ints(axes)])];
};

/** Pads and value were attributes until opset 10. */
const upgradePad: UpgradeRule = ({ node, opset, make, input }) => {
  const pads = node.ints('pads');
  if (opset >= 11 || !pads) return null;
  const mode = node.string('mode', 'constant');
  const value = node.float('value', 0);
  const filled = mode === 'constant' && value !== 0 ? [make.full(value, make.dtype(input(0)))] : [];
  return [make.op('Pad', [input(0), make.ints(pads), ...filled], { mode: attr.string(mode) })];
};

const upgradeScatter: UpgradeRule = ({ node, make, input }) => [
  make.op('ScatterElements', [input(0), input(1), input(2)], { axis: attr.int(node.int('axis', 0)) }),
];

/** k was an attribute until opset 9. */
const upgradeTopK: UpgradeRule = ({ node, opset, make, input }) => {
  const k = node.int('k');
  if (opset >= 10 || k === undefined) return null;
  const outputs: readonly Value[] = make.ops('TopK', [input(0), make.ints([k])], {
    outputs: 2,
    attributes: { axis: attr.int(node.int('axis', -1)) },
  });
  return outputs;
};

/** Older spellings of operators that choose elements by position. */
export const INDEXING_UPGRADES: Readonly<Record<string, UpgradeRule>> = {
  Slice: upgradeSlice,
  Pad: upgradePad,
  Scatter: upgradeScatter,
  TopK: upgradeTopK,
};
