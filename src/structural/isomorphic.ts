import { constantSource, layerOf } from '../ops/index.ts';
import type { ChannelGroup, Member } from './groups.ts';

/**
 * What the groups that are ranked together in isomorphic pruning have alike (Fang et al. 2024, Isomorphic Pruning for Vision Models): the layers their channels are in, what those are to them, and their
 * shapes apart from numbers of channels. Convolutions of a 3x3 window compare with such of other widths, but not with 1x1, depthwise or linear ones.
 */
export function groupSignature(group: ChannelGroup): string {
  return group.members.map(memberSignature).sort().join('\n');
}

function memberSignature({ value, axis, role, node, parts }: Member): string {
  const layer = layerOf(node);
  const parameter = layer?.parameters.find(({ input }) => {
    const read = node.inputs[input];
    return read && constantSource(read)?.value === value;
  });
  // A layout tells axes as the node reads them; windows are the same either way.
  const layout = parameter?.layout;
  const sizes = value.initializer?.shape ?? [];
  const counted = new Set([axis, ...(layout ? [layout.output, layout.input ?? axis] : [])]);
  const shape = sizes.map((size, own) => (counted.has(own) ? '*' : size)).join('x');
  const grouped = (layout?.groups ?? 1) > 1 ? (sizes[1] === 1 ? ' depthwise' : ' grouped') : '';
  const name = parameter ? `${layer?.type}.${parameter.name}` : node.opType;
  return `${role} ${name}[${shape}]${grouped}${parts ? ' by part' : ''}`;
}
