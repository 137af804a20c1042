import type { Node } from '../ir/index.ts';

/**
 * Path of the module that made a node, from the node's name: `/model.0/conv/Conv` gives `model.0.conv`.
 *
 * PyTorch's exporter writes children of containers with the container's name in front, and the container's own scope before that:
 * `/blocks/blocks.0/conv1/Conv`. A segment that repeats the one before it, or continues it with a dot, stands in its place. Names without
 * scopes (`Conv_12`) give the empty path.
 */
export function scopeOf(nodeName: string): string {
  const segments = nodeName.split('/').filter((segment) => segment !== '');
  segments.pop();
  const path: string[] = [];
  for (const segment of segments) {
    const before = path.at(-1);
    if (before !== undefined && (segment === before || segment.startsWith(`${before}.`))) path.pop();
    path.push(segment);
  }
  return path.map(cleaned).join('.');
}

/** The node's own part of its name, as a module's name: `Conv` of `/conv1/Conv`; made of operator and output where it has no name. */
export function ownName(node: Node): string {
  const last = node.name.split('/').at(-1);
  if (last) return cleaned(last);
  return cleaned(`${node.opType}_${node.outputs.find((output) => output !== null)?.name ?? ''}`);
}

/** A name that can stand in a path: no characters but letters, digits, `_`, `-` and the dots between segments. */
export const cleaned = (name: string): string =>
  name
    .replace(/[^\w.-]+/g, '_')
    .split('.')
    .filter((segment) => segment !== '')
    .join('.') || '_';

/** A parameter's path and name, where a value's name looks like a state dict's: `layer1.0.conv1.weight`, `class_token`. */
export function stateDictName(valueName: string): { path: string; name: string } | null {
  if (!/^[A-Za-z_]\w*(\.\w+)*$/.test(valueName)) return null;
  const dot = valueName.lastIndexOf('.');
  return { path: dot < 0 ? '' : valueName.slice(0, dot), name: valueName.slice(dot + 1) };
}
