import {
  BatchNorm2d,
  Conv2d,
  F,
  MaxPool2d,
  Module,
  ModuleList,
  Sequential,
  SiLU,
  type Variable,
} from '../nn/index.ts';
import { everyOther } from './every-other.ts';

/** Batch norms of YOLOv5 are not PyTorch's default ones. */
const BATCH_NORM = { eps: 1e-3, momentum: 0.03 } as const;

/** Convolution without bias, batch norm and SiLU, padded so that a stride of 1 keeps the size. */
export class Conv extends Module {
  conv: Conv2d;
  bn: BatchNorm2d;
  act = new SiLU();

  constructor(inChannels: number, outChannels: number, kernel = 1, stride = 1, padding = kernel >> 1) {
    super();
    this.conv = new Conv2d(inChannels, outChannels, kernel, { stride, padding, bias: false });
    this.bn = new BatchNorm2d(outChannels, BATCH_NORM);
  }

  override forward(x: Variable): Variable {
    return this.act.call(this.bn.call(this.conv.call(x)));
  }
}

/** Two convolutions, 1x1 and 3x3, with the input added where `shortcut` says so and the channels are as many. */
class Bottleneck extends Module {
  cv1: Conv;
  cv2: Conv;
  readonly add: boolean;

  constructor(inChannels: number, outChannels: number, shortcut: boolean) {
    super();
    this.cv1 = new Conv(inChannels, outChannels);
    this.cv2 = new Conv(outChannels, outChannels, 3);
    this.add = shortcut && inChannels === outChannels;
  }

  override forward(x: Variable): Variable {
    const y = this.cv2.call(this.cv1.call(x));
    return this.add ? x.add(y) : y;
  }
}

/** Cross-stage partial block with three convolutions: half of the channels go through `count` bottlenecks, half pass by. */
export class C3 extends Module {
  cv1: Conv;
  cv2: Conv;
  cv3: Conv;
  m: Sequential;

  constructor(inChannels: number, outChannels: number, count: number, shortcut: boolean) {
    super();
    const hidden = Math.trunc(outChannels / 2);
    this.cv1 = new Conv(inChannels, hidden);
    this.cv2 = new Conv(inChannels, hidden);
    this.cv3 = new Conv(2 * hidden, outChannels);
    this.m = new Sequential(...Array.from({ length: count }, () => new Bottleneck(hidden, hidden, shortcut)));
  }

  override forward(x: Variable): Variable {
    return this.cv3.call(F.cat([this.m.call(this.cv1.call(x)), this.cv2.call(x)], 1));
  }
}

/** Spatial pyramid pooling, fast: one max-pool three times, and all four maps joined. */
export class SPPF extends Module {
  cv1: Conv;
  cv2: Conv;
  m: MaxPool2d;

  constructor(inChannels: number, outChannels: number, kernel: number) {
    super();
    const hidden = Math.trunc(inChannels / 2);
    this.cv1 = new Conv(inChannels, hidden);
    this.cv2 = new Conv(4 * hidden, outChannels);
    this.m = new MaxPool2d(kernel, { stride: 1, padding: kernel >> 1 });
  }

  override forward(input: Variable): Variable {
    const x = this.cv1.call(input);
    const y1 = this.m.call(x);
    const y2 = this.m.call(y1);
    return this.cv2.call(F.cat([x, y1, y2, this.m.call(y2)], 1));
  }
}

/** Spatial pyramid pooling of v5.0: max-pools of several sizes side by side, and all maps joined. With 5, 9 and 13 it computes what `SPPF` does with 5. */
export class SPP extends Module {
  cv1: Conv;
  cv2: Conv;
  m: ModuleList<MaxPool2d>;

  constructor(inChannels: number, outChannels: number, kernels: readonly number[]) {
    super();
    const hidden = Math.trunc(inChannels / 2);
    this.cv1 = new Conv(inChannels, hidden);
    this.cv2 = new Conv((kernels.length + 1) * hidden, outChannels);
    this.m = new ModuleList(
      kernels.map((kernel) => new MaxPool2d(kernel, { stride: 1, padding: kernel >> 1 })),
    );
  }

  override forward(input: Variable): Variable {
    const x = this.cv1.call(input);
    return this.cv2.call(F.cat([x, ...[...this.m].map((pool) => pool.call(x))], 1));
  }
}

/** v5.0's first layer: the pixels of each 2 x 2 square become channels (rows first: top left, bottom left, top right, bottom right), and a convolution reads them. */
export class Focus extends Module {
  conv: Conv;

  constructor(inChannels: number, outChannels: number, kernel: number) {
    super();
    this.conv = new Conv(inChannels * 4, outChannels, kernel);
  }

  override forward(x: Variable): Variable {
    const at = (row: number, column: number): Variable => everyOther(x, row, column);
    return this.conv.call(F.cat([at(0, 0), at(1, 0), at(0, 1), at(1, 1)], 1));
  }
}

/** Maps joined along the channels. */
export class Concat extends Module {
  override forward(...inputs: Variable[]): Variable {
    return F.cat(inputs, 1);
  }
}
