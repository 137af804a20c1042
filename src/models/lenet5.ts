import { Conv2d, F, Linear, Module, type Variable } from '../nn/index.ts';

/** Options of `LeNet5`. */
export interface LeNet5Options {
  /** Number of classes; default 10. */
  readonly classes?: number;
}

/** LeNet-5 as in PyTorch's pruning tutorial, with 3x3 kernels: `[N, 1, 32, 32]` to `[N, classes]`. 81,194 parameters for 10 classes. */
export class LeNet5 extends Module {
  conv1 = new Conv2d(1, 6, 3);
  conv2 = new Conv2d(6, 16, 3);
  fc1 = new Linear(16 * 6 * 6, 120);
  fc2 = new Linear(120, 84);
  fc3: Linear;

  constructor(options: LeNet5Options = {}) {
    super();
    this.fc3 = new Linear(84, options.classes ?? 10);
  }

  override forward(input: Variable): Variable {
    let x = F.maxPool2d(F.relu(this.conv1.call(input)), [2, 2]);
    x = F.maxPool2d(F.relu(this.conv2.call(x)), 2);
    x = x.flatten(1);
    x = F.relu(this.fc1.call(x));
    x = F.relu(this.fc2.call(x));
    return this.fc3.call(x);
  }
}
