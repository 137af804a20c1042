import { relu } from '../nn/functional/activation.ts';
import { maxPool2d } from '../nn/functional/pool.ts';
import { Conv2d } from '../nn/layers/conv.ts';
import { Linear } from '../nn/layers/linear.ts';
import { Module } from '../nn/module.ts';
import type { Variable } from '../nn/variable.ts';

/** LeNet-5 in the form of PyTorch's pruning tutorial: `[N, 1, 32, 32]` to `[N, classes]`, 61,706 parameters for 10 classes with 3x3 kernels. */
export class LeNet5 extends Module {
  conv1 = new Conv2d(1, 6, 3);
  conv2 = new Conv2d(6, 16, 3);
  fc1 = new Linear(16 * 6 * 6, 120);
  fc2 = new Linear(120, 84);
  fc3: Linear;

  constructor(options: { readonly classes?: number } = {}) {
    super();
    this.fc3 = new Linear(84, options.classes ?? 10);
  }

  override forward(input: Variable): Variable {
    let x = maxPool2d(relu(this.conv1.call(input)), 2);
    x = maxPool2d(relu(this.conv2.call(x)), 2);
    x = x.flatten(1);
    x = relu(this.fc1.call(x));
    x = relu(this.fc2.call(x));
    return this.fc3.call(x);
  }
}
