import { DataLoader } from '../../data/index.ts';
import type { modelTensors } from '../checkpoint.ts';
import type { IterateHistory, IterateOptions } from '../iterate.ts';
import { SGD } from '../optimizers/index.ts';
import { CosineAnnealingLR } from '../schedules/index.ts';
import { Trainer } from '../trainer.ts';
import { blobs, type SmallNet, smallNet } from './blobs.ts';

/** Batches of 16, three an epoch. */
export const train = new DataLoader(blobs(48), { batchSize: 16, shuffle: true });
const validation = new DataLoader(blobs(24, 6), { batchSize: 24 });

/** A small network that tells the classes apart. */
export async function trained(): Promise<SmallNet> {
  const model = smallNet();
  const trainer = new Trainer(model, {
    optimizer: new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }),
    threads: 1,
  });
  await trainer.fit(train, { epochs: 6 });
  await trainer.dispose();
  return model;
}

/** Options of a run to three quarters of zeros. */
export const options = (model: SmallNet, more: Partial<IterateOptions> = {}): IterateOptions => ({
  model,
  data: { train, validation },
  target: { sparsity: 0.75 },
  finetune: {
    epochs: 2,
    optimizer: (net) => new SGD(net.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 1e-3 }),
    scheduler: (optimizer, steps) => new CosineAnnealingLR(optimizer as SGD, { tMax: steps }),
    threads: 1,
  },
  ...more,
});

/** All tensors by name, as plain numbers. */
export const valuesOf = (tensors: ReturnType<typeof modelTensors>): [string, number[]][] =>
  [...tensors].map(([name, tensor]) => [name, tensor.toNumbers()]);

/** A history without wall times. */
export const timeless = ({ rounds, ...rest }: IterateHistory): unknown => ({
  ...rest,
  rounds: rounds.map(({ seconds: _, ...round }) => ({
    ...round,
    epochs: round.epochs.map(({ seconds: __, ...epoch }) => epoch),
  })),
});
