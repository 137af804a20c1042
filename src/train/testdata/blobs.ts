import { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import { TensorDataset } from '../../data/index.ts';
import {
  type AnyModule,
  BatchNorm2d,
  Conv2d,
  Dropout,
  F,
  Flatten,
  Linear,
  Module,
  manualSeed,
  ReLU,
  Sequential,
  type Variable,
} from '../../nn/index.ts';

/** Images `[N, 1, 6, 6]` of three classes: a bright patch in one of three places, and noise. */
export function blobs(count: number, seed = 5): TensorDataset {
  const random = new Generator(seed);
  const images = random.normal(count * 36, 0, 0.3);
  const labels = Array.from({ length: count }, (_, index) => index % 3);
  labels.forEach((label, index) => {
    for (const place of [0, 1, 6, 7]) images[index * 36 + label * 14 + place]! += 1;
  });
  return new TensorDataset(new Tensor('float32', [count, 1, 6, 6], images), Tensor.int64(labels));
}

/** A small network with everything that training treats in a way of its own: convolution, batch norm, dropout, a linear layer. */
export class SmallNet extends Module {
  conv = new Conv2d(1, 4, 3, { padding: 1 });
  bn = new BatchNorm2d(4);
  dropout = new Dropout(0.1);
  fc = new Linear(36, 3);

  override forward(x: Variable): Variable {
    const y = F.maxPool2d(F.relu(this.bn.call(this.conv.call(x))), 2);
    return this.fc.call(this.dropout.call(y.flatten(1)));
  }
}

/** A network whose weights follow from the seed. */
export function smallNet(seed = 1): SmallNet {
  manualSeed(seed);
  return new SmallNet();
}

/** A network without batch norm and dropout: a batch is the sum of its samples. */
export function plainNet(seed = 1): Sequential {
  manualSeed(seed);
  return new Sequential(new Flatten(), new Linear(36, 12), new ReLU(), new Linear(12, 3));
}

/** All parameters and buffers, end to end. */
export function weightsOf(model: AnyModule): number[] {
  return [...model.stateDict().values()].flatMap((tensor) => [...tensor.toNumbers()]);
}
