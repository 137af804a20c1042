import { Generator } from '../../../core/random.ts';
import { Tensor } from '../../../core/tensor.ts';
import { BatchNorm2d, Conv2d, F, Module, ModuleList, manualSeed, type Variable } from '../../../nn/index.ts';
import { type DetectionDataset, detectionDataset } from '../../dataset.ts';

/** A small network of raw maps at strides 8, 16 and 32, three anchors each. */
export class TinyDetector extends Module<readonly Variable[]> {
  readonly numbers: number;
  stem = new ModuleList([
    new Conv2d(3, 8, 4, { stride: 4 }),
    new Conv2d(8, 12, 2, { stride: 2, bias: false }),
  ]);
  bn = new BatchNorm2d(12);
  down = new ModuleList([new Conv2d(12, 12, 2, { stride: 2 }), new Conv2d(12, 12, 2, { stride: 2 })]);
  heads: ModuleList<Conv2d>;

  constructor(classes: number) {
    super();
    this.numbers = 5 + classes;
    this.heads = new ModuleList([0, 1, 2].map(() => new Conv2d(12, 3 * this.numbers, 1)));
  }

  override forward(image: Variable): readonly Variable[] {
    const first = F.silu(this.stem.at(0).call(image));
    const maps = [F.silu(this.bn.call(this.stem.at(1).call(first)))];
    for (const down of this.down) maps.push(F.silu(down.call(maps.at(-1)!)));
    return maps.map((map, index) => {
      const y = this.heads.at(index).call(map);
      const [batch, , height, width] = y.shape as readonly number[];
      return y.view(batch!, 3, this.numbers, height!, width!).permute(0, 1, 3, 4, 2).contiguous();
    });
  }
}

/** The same weights for the same seed. */
export function tinyDetector(classes = 2, seed = 1): TinyDetector {
  manualSeed(seed);
  return new TinyDetector(classes);
}

/** Grey images of 64 x 64 pixels with one bright square each: red of 24 pixels, or blue of 32. */
export function squares(count: number, seed = 1): DetectionDataset {
  const random = new Generator(seed);
  const samples = Array.from({ length: count }, (_, index) => {
    const label = index % 2;
    const side = label === 0 ? 24 : 32;
    const [x, y] = random.randint(2, 0, 64 - side) as unknown as readonly [number, number];
    const pixels = new Uint8Array(64 * 64 * 3).fill(100);
    for (let row = y; row < y + side; row++) {
      for (let column = x; column < x + side; column++)
        pixels.set(label === 0 ? [250, 10, 10] : [10, 10, 250], (row * 64 + column) * 3);
    }
    const image = new Tensor('uint8', [64, 64, 3], pixels);
    return { image, labels: [{ label, box: [x, y, x + side, y + side] as const }] };
  });
  return detectionDataset(samples, ['red', 'blue']);
}
