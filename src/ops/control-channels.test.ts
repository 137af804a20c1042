import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { attr, Graph, tensorType } from '../ir/index.ts';
import { analyzeChannels } from '../structural/index.ts';

describe('channels that subgraphs read', () => {
  it('cannot be cut, nor what the subgraphs give', () => {
    const graph = new Graph({ opset: 18 });
    const flag = graph.addInput('flag', tensorType('bool', []));
    const weight = graph.addInitializer('weight', Tensor.zeros('float32', [2, 3]));
    const branch = (name: string, opType: string): Graph => {
      const own = new Graph({ name, parent: graph });
      own.addOutput(own.addNode({ opType, inputs: [weight], outputs: [name] }).output());
      return own;
    };
    const chosen = graph.addNode({
      opType: 'If',
      name: 'choice',
      inputs: [flag],
      outputs: ['chosen'],
      attributes: {
        then_branch: attr.graph(branch('yes', 'Abs')),
        else_branch: attr.graph(branch('no', 'Neg')),
      },
    });
    graph.addOutput(chosen.output());
    const coupling = analyzeChannels(graph);
    const why = 'channels are not followed into its subgraphs, so what they read and give stays whole';
    const labels = coupling.channels(coupling.graph.value('weight')).flatMap((bundle) => [...bundle.labels]);
    expect(labels).toHaveLength(5);
    expect(new Set(labels.map((label) => coupling.frozen(label)))).toEqual(new Set([`If 'choice': ${why}`]));
    expect(coupling.channels(coupling.graph.value('chosen'))).toEqual([]);
    expect(coupling.notFollowed.map(({ node, why: reason }) => `${node.label}: ${reason}`)).toEqual([
      `If 'choice': ${why}`,
    ]);
  });
});
