import { sizeOf, stridesOf, Tensor } from '../src/core/tensor.ts';
import { cloneGraph, staticShape } from '../src/ir/index.ts';
import type { Bundle } from '../src/ops/index.ts';
import { createSession } from '../src/runtime/index.ts';
import type { ChannelLabels } from './channel-labels.ts';

/** Where an element lies on the axes of a bundle, as a place among its labels. */
function placeIn({ axes }: Bundle, shape: readonly number[], element: number): number {
  const strides = stridesOf(shape);
  return axes.reduce(
    (place, axis) => place * shape[axis]! + (Math.floor(element / strides[axis]!) % shape[axis]!),
    0,
  );
}

/**
 * Runs an operator that only moves elements on constants that hold the labels of their own indices, and says where an output holds another label than its channel rule gives; empty where all are right. Elements that come
 * of no input are 0, and one of their labels must be a new one.
 */
export async function wrongLabels({ coupling }: Pick<ChannelLabels, 'coupling'>): Promise<string[]> {
  const { graph, values } = cloneGraph(coupling.graph);
  const node = coupling.graph.nodes.at(-1)!;
  const { inference } = coupling;
  const roots = (labels: Int32Array): number[] => [...labels].map((label) => coupling.find(label));
  const wrong: string[] = [];
  for (const output of node.outputs) if (output) graph.addOutput(values.get(output)!);
  const constants = coupling.graph.initializers.filter((value) => value.initializer?.dtype === 'float32');
  const known = new Set(
    constants.flatMap((value) => coupling.channels(value).flatMap(({ labels }) => roots(labels))),
  );
  for (const output of node.outputs) {
    const shape = output && staticShape(inference.get(output)?.shape);
    if (!output || !shape || inference.get(output)?.dtype !== 'float32') continue;
    const bundles = coupling.channels(output);
    const isAdded = (element: number): boolean =>
      bundles.some((other) => !known.has(coupling.find(other.labels[placeIn(other, shape, element)]!)));
    for (const bundle of bundles) {
      const wanted = roots(bundle.labels);
      for (const constant of constants) {
        const { shape: sizes } = constant.initializer!;
        const own = coupling
          .channels(constant)
          .find(({ labels }) => roots(labels).some((root) => wanted.includes(root)));
        const ids = own ? roots(own.labels) : [];
        const data = (bundle: Bundle): Float32Array =>
          Float32Array.from(
            { length: sizeOf(sizes) },
            (_, element) => ids[placeIn(bundle, sizes, element)]! + 1,
          );
        values.get(constant)!.initializer = own
          ? new Tensor('float32', sizes, data(own))
          : constant.initializer;
      }
      const session = await createSession(graph, { optimization: 'disabled', threads: 1 });
      try {
        const elements = (await session.run({})).get(output.name)!.toNumbers();
        elements.forEach((found, element) => {
          const root = wanted[placeIn(bundle, shape, element)]!;
          if (found !== root + 1 && !(found === 0 && isAdded(element)))
            wrong.push(
              `${output.name}[${element}] on axes ${bundle.axes.join('x')}: holds ${found - 1}, not ${root}`,
            );
        });
      } finally {
        await session.dispose();
      }
    }
  }
  return wrong;
}
