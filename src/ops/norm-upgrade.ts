import type { UpgradeRule } from './operator.ts';

/** Until opset 8 `spatial = 0` meant statistics of each place. The outputs of training, which files do not use, went from five to three at 14. */
const upgradeBatchNorm: UpgradeRule = ({ node, opset, make, input, unsupported }) => {
  if (opset < 9 && node.int('spatial', 1) === 0)
    throw unsupported('spatial = 0 has no counterpart in newer opsets');
  if (opset >= 14) return null;
  const kept = [...node.attributes].filter(([name]) => name === 'epsilon' || name === 'momentum');
  const inputs = [0, 1, 2, 3, 4].map(input);
  return [make.op('BatchNormalization', inputs, Object.fromEntries(kept))];
};

/** The ratio was an attribute until opset 11, where the operator dropped nothing. */
const upgradeDropout: UpgradeRule = ({ node, opset, make, input }) => {
  if (opset >= 12) return null;
  return make.ops('Dropout', [input(0), make.full(node.float('ratio', 0.5))], {
    outputs: node.outputs.length,
  });
};

/** Older spellings of normalizations. */
export const NORM_UPGRADES: Readonly<Record<string, UpgradeRule>> = {
  BatchNormalization: upgradeBatchNorm,
  Dropout: upgradeDropout,
};
