import { DataLoader } from '../../data/index.ts';
import type { Graph } from '../../ir/index.ts';
import {
  BatchNorm2d,
  Conv2d,
  F,
  type GraphModule,
  Linear,
  Module,
  manualSeed,
  toGraph,
  type Variable,
} from '../../nn/index.ts';
import { modelTensors } from '../checkpoint.ts';
import { SGD } from '../optimizers/index.ts';
import type { ShrinkHistory, ShrinkRoundsOptions } from '../shrink-rounds-options.ts';
import { Trainer } from '../trainer.ts';
import { blobs } from './blobs.ts';

/** Two convolutions with batch norm, a shortcut over the second, a linear layer: channels that are tied and channels that are not. */
export class ShrinkNet extends Module {
  conv1 = new Conv2d(1, 8, 3, { padding: 1, bias: false });
  bn1 = new BatchNorm2d(8);
  conv2 = new Conv2d(8, 12, 3, { padding: 1, bias: false });
  bn2 = new BatchNorm2d(12);
  conv3 = new Conv2d(12, 8, 1);
  fc = new Linear(72, 3);

  override forward(x: Variable): Variable {
    const a = F.relu(this.bn1.call(this.conv1.call(x)));
    const b = F.relu(this.bn2.call(this.conv2.call(a)));
    const sum = F.relu(this.conv3.call(b).add(a));
    return this.fc.call(F.maxPool2d(sum, 2).flatten(1));
  }
}

/** Batches of 16, three an epoch. */
export const train = new DataLoader(blobs(48), { batchSize: 16, shuffle: true });
const validation = new DataLoader(blobs(24, 6), { batchSize: 24 });

/** A network as it is fresh, traced for evaluation with any batch. */
export function freshGraph(seed = 1): Graph {
  manualSeed(seed);
  return toGraph(new ShrinkNet(), [['batch', 1, 6, 6]]);
}

/** A network that tells the classes apart. */
export async function trainedGraph(): Promise<Graph> {
  manualSeed(1);
  const model = new ShrinkNet();
  const trainer = new Trainer(model, {
    optimizer: new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }),
    threads: 1,
  });
  await trainer.fit(train, { epochs: 6 });
  await trainer.dispose();
  return toGraph(model, [['batch', 1, 6, 6]]);
}

/** Options of two rounds that halve the multiply-accumulates. */
export const options = (model: Graph, more: Partial<ShrinkRoundsOptions> = {}): ShrinkRoundsOptions => ({
  model,
  data: { train, validation },
  target: { macs: { share: 0.5 } },
  rounds: 2,
  finetune: {
    epochs: 1,
    optimizer: (net) => new SGD(net.parameters(), { lr: 0.02, momentum: 0.9, weightDecay: 1e-2 }),
    threads: 1,
  },
  ...more,
});

/** Parameters and buffers of a model, as plain numbers. */
export const valuesOf = (model: GraphModule): [string, number[]][] =>
  [...modelTensors(model)].map(([name, tensor]) => [`${name} ${tensor}`, tensor.toNumbers()]);

/** Initializers of a graph, as plain numbers. */
export const initializersOf = (graph: Graph): [string, number[]][] =>
  [...graph.initializers].map(({ name, initializer }) => [name, initializer!.toNumbers()]);

/** A history without wall times. */
export const timeless = (history: ShrinkHistory): unknown =>
  JSON.parse(JSON.stringify(history, (key, value: unknown) => (key === 'seconds' ? undefined : value)));
