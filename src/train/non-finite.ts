import { dtypeInfo } from '../core/dtype.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Graph } from '../ir/index.ts';
import { createSession } from '../runtime/index.ts';

/**
 * Where a run first leaves the finite numbers, as half a sentence: `the first value that is not finite is 'x' of Log '/loss/Log'`. The graph is run once more, with every floating-point value as an output.
 */
export async function firstNonFinite(
  graph: Graph,
  given: Readonly<Record<string, Tensor>>,
  threads?: number,
): Promise<string> {
  const feeds = Object.fromEntries(graph.feeds.map(({ name }) => [name, given[name]!]));
  for (const [name, tensor] of Object.entries(feeds)) {
    if (!allFinite(tensor)) return `the input '${name}' is not finite already`;
  }
  const taps = graph.nodes.flatMap((node) =>
    node.outputs.flatMap((output) => {
      const dtype = output?.type?.kind === 'tensor' ? output.type.dtype : null;
      return output && dtype !== null && dtypeInfo(dtype).kind === 'float' ? [output] : [];
    }),
  );
  const session = await createSession(graph, {
    taps,
    optimization: 'disabled',
    ...(threads === undefined ? {} : { threads }),
  });
  try {
    const results = await session.run(feeds);
    for (const tap of taps) {
      const result = results.get(tap.name);
      if (result && !allFinite(result)) {
        return `the first value that is not finite is '${tap.name}' (${result}) of ${tap.producer?.label}`;
      }
    }
  } finally {
    await session.dispose();
  }
  return 'run again node by node, every value is finite';
}

function allFinite(tensor: Tensor): boolean {
  if (tensor.dtype !== 'float32' && tensor.dtype !== 'float64') return true;
  const numbers = tensor.dtype === 'float32' ? tensor.float32 : tensor.toNumbers();
  for (const number of numbers) if (!Number.isFinite(number)) return false;
  return true;
}
