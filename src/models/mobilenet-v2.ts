import { ArgumentError } from '../core/errors.ts';
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  F,
  init,
  Linear,
  Module,
  ReLU6,
  Sequential,
  type Variable,
} from '../nn/index.ts';

/** Options of `MobileNetV2`. */
export interface MobileNetV2Options {
  /** Number of classes; default 1000, ImageNet's. */
  readonly classes?: number;
  /** Factor of the number of channels; default 1. */
  readonly widthMult?: number;
  /** Dropout before the classifier; default 0.2. */
  readonly dropout?: number;
}

/** Stages of inverted residuals: expansion, channels, blocks, stride of the first (Sandler et al. 2018, table 2). */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** The nearest multiple of 8, but not less than 90 % of the channels asked for. */
function divisible(channels: number): number {
  const nearest = Math.max(8, Math.trunc((channels + 4) / 8) * 8);
  return nearest < 0.9 * channels ? nearest + 8 : nearest;
}

/** Convolution, batch norm, ReLU6. */
class Conv2dNormActivation extends Sequential {
  constructor(inChannels: number, outChannels: number, kernel: number, stride = 1, groups = 1) {
    super(
      new Conv2d(inChannels, outChannels, kernel, { stride, padding: (kernel - 1) / 2, groups, bias: false }),
      new BatchNorm2d(outChannels),
      new ReLU6(),
    );
  }
}

/** Expansion by a 1x1 convolution, a 3x3 one for each channel, and a 1x1 one back to few channels; the input is added where it fits. */
class InvertedResidual extends Module {
  conv: Sequential;
  readonly useResConnect: boolean;

  constructor(inChannels: number, outChannels: number, stride: number, expansion: number) {
    super();
    const hidden = inChannels * expansion;
    this.conv = new Sequential(
      ...(expansion === 1 ? [] : [new Conv2dNormActivation(inChannels, hidden, 1)]),
      new Conv2dNormActivation(hidden, hidden, 3, stride, hidden),
      new Conv2d(hidden, outChannels, 1, { bias: false }),
      new BatchNorm2d(outChannels),
    );
    this.useResConnect = stride === 1 && inChannels === outChannels;
  }

  override forward(x: Variable): Variable {
    const y = this.conv.call(x);
    return this.useResConnect ? x.add(y) : y;
  }
}

/**
 * MobileNetV2 (Sandler et al. 2018) with torchvision's state-dict names and initialization: `[N, 3, H, W]` to `[N, classes]`; 3,504,872 parameters for
 * 1000 classes at width 1.
 */
export class MobileNetV2 extends Module {
  features: Sequential;
  classifier: Sequential;

  /** Throws ArgumentError where the width is no number above 0. */
  constructor(options: MobileNetV2Options = {}) {
    super();
    const { classes = 1000, widthMult = 1, dropout = 0.2 } = options;
    if (!(widthMult > 0)) {
      throw new ArgumentError(`MobileNetV2: widthMult expects a number above 0, got ${widthMult}`);
    }
    let channels = divisible(32 * widthMult);
    const lastChannels = divisible(1280 * Math.max(1, widthMult));
    const layers: Module[] = [new Conv2dNormActivation(3, channels, 3, 2)];
    for (const [expansion, width, blocks, stride] of STAGES) {
      const outChannels = divisible(width * widthMult);
      for (let block = 0; block < blocks; block++) {
        layers.push(new InvertedResidual(channels, outChannels, block === 0 ? stride : 1, expansion));
        channels = outChannels;
      }
    }
    layers.push(new Conv2dNormActivation(channels, lastChannels, 1));
    this.features = new Sequential(...layers);
    this.classifier = new Sequential(new Dropout(dropout), new Linear(lastChannels, classes));
    this.#initialize();
  }

  #initialize(): void {
    for (const module of this.modules()) {
      if (module instanceof Conv2d) {
        init.kaimingNormal_(module.weight, { mode: 'fan_out' });
        if (module.bias) init.zeros_(module.bias);
      } else if (module instanceof Linear) {
        init.normal_(module.weight, 0, 0.01);
        if (module.bias) init.zeros_(module.bias);
      }
    }
  }

  override forward(image: Variable): Variable {
    return this.classifier.call(F.adaptiveAvgPool2d(this.features.call(image), 1).flatten(1));
  }
}
