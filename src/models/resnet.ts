import { ArgumentError } from '../core/errors.ts';
import { BatchNorm2d, Conv2d, F, init, Linear, Module, Sequential, type Variable } from '../nn/index.ts';
import { everyOther } from './every-other.ts';

/** Depths of the CIFAR ResNets: `6 n + 2` layers, n blocks in each of three stages. */
export type ResNetDepth = 20 | 32 | 44 | 56 | 110;

/** How a shortcut changes size: A takes every other pixel and adds channels of zeros, B is a 1x1 convolution with batch norm. */
export type ShortcutOption = 'A' | 'B';

/** Options of the CIFAR ResNets. */
export interface ResNetOptions {
  /** Number of classes; default 10. */
  readonly classes?: number;
  /** Default A, as in the paper's experiments on CIFAR-10. */
  readonly shortcut?: ShortcutOption;
}

/** Shortcut of option A. It has no parameters. */
class LambdaLayer extends Module {
  readonly added: number;

  constructor(added: number) {
    super();
    this.added = added;
  }

  override forward(x: Variable): Variable {
    return F.pad(everyOther(x), [0, 0, 0, 0, this.added, this.added]);
  }
}

/** Two 3x3 convolutions with batch norms, and a shortcut around them. */
class BasicBlock extends Module {
  conv1: Conv2d;
  bn1: BatchNorm2d;
  conv2: Conv2d;
  bn2: BatchNorm2d;
  shortcut: Module;

  constructor(inPlanes: number, planes: number, stride: number, option: ShortcutOption) {
    super();
    this.conv1 = new Conv2d(inPlanes, planes, 3, { stride, padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(planes);
    this.conv2 = new Conv2d(planes, planes, 3, { padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(planes);
    if (stride === 1 && inPlanes === planes) this.shortcut = new Sequential();
    else if (option === 'A') this.shortcut = new LambdaLayer(planes / 4);
    else {
      this.shortcut = new Sequential(
        new Conv2d(inPlanes, planes, 1, { stride, bias: false }),
        new BatchNorm2d(planes),
      );
    }
  }

  override forward(x: Variable): Variable {
    const y = F.relu(this.bn1.call(this.conv1.call(x)));
    return F.relu(this.bn2.call(this.conv2.call(y)).add(this.shortcut.call(x)));
  }
}

/**
 * ResNet for CIFAR (He et al. 2015, section 4.2): `[N, 3, 32, 32]` to `[N, classes]`, three stages of 16, 32 and 64 channels. State-dict names are those of the
 * checkpoints common for it: `conv1.weight`, `layer1.0.conv1.weight`, `linear.weight`.
 */
export class ResNet extends Module {
  conv1: Conv2d;
  bn1: BatchNorm2d;
  layer1: Sequential;
  layer2: Sequential;
  layer3: Sequential;
  linear: Linear;

  /** `blocks`: how many in each of the three stages. Throws ArgumentError where it is no whole number of at least 1. */
  constructor(blocks: number, options: ResNetOptions = {}) {
    super();
    if (!Number.isInteger(blocks) || blocks < 1) {
      throw new ArgumentError(`ResNet: blocks expects a whole number of at least 1, got ${blocks}`);
    }
    const { classes = 10, shortcut = 'A' } = options;
    const stage = (inPlanes: number, planes: number, stride: number): Sequential =>
      new Sequential(
        ...Array.from({ length: blocks }, (_, index) =>
          index === 0
            ? new BasicBlock(inPlanes, planes, stride, shortcut)
            : new BasicBlock(planes, planes, 1, shortcut),
        ),
      );
    this.conv1 = new Conv2d(3, 16, 3, { padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(16);
    this.layer1 = stage(16, 16, 1);
    this.layer2 = stage(16, 32, 2);
    this.layer3 = stage(32, 64, 2);
    this.linear = new Linear(64, classes);
    this.apply((module) => {
      if (module instanceof Conv2d || module instanceof Linear) init.kaimingNormal_(module.weight);
    });
  }

  override forward(image: Variable): Variable {
    let x = F.relu(this.bn1.call(this.conv1.call(image)));
    x = this.layer3.call(this.layer2.call(this.layer1.call(x)));
    return this.linear.call(F.adaptiveAvgPool2d(x, 1).flatten(1));
  }
}

/** The CIFAR ResNet of a depth: `resnet(20)`. Throws ArgumentError for a depth that is not `6 n + 2`. */
export function resnet(depth: ResNetDepth, options: ResNetOptions = {}): ResNet {
  const blocks = (depth - 2) / 6;
  if (Number.isInteger(blocks) && blocks >= 1) return new ResNet(blocks, options);
  throw new ArgumentError(`resnet: expects a depth of 6 n + 2, such as 20, 32, 44, 56 or 110, got ${depth}`);
}
