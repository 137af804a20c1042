import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { type AnyModule, manualSeed, run } from '../nn/index.ts';
import { yolov5 } from './index.ts';
import { Conv, Focus, SPP, SPPF } from './yolov5-blocks.ts';

const image = (channels: number, side: number): Tensor => {
  const data = Float32Array.from({ length: channels * side * side }, (_, at) => Math.sin(at * 12.9898) * 2);
  return new Tensor('float32', [1, channels, side, side], data);
};

const gap = async (a: AnyModule, b: AnyModule, input: Tensor): Promise<number> => {
  const [one, other] = [(await run(a.eval(), input)) as Tensor, (await run(b.eval(), input)) as Tensor];
  expect(one.shape).toEqual(other.shape);
  return one.float32.reduce((most, value, at) => Math.max(most, Math.abs(value - other.float32[at]!)), 0);
};

describe('blocks of YOLOv5 v5.0', () => {
  it('pool as those of v6.0: pools of 5, 9 and 13 are one of 5 once, twice and three times', async () => {
    manualSeed(0);
    const [spp, sppf] = [new SPP(8, 6, [5, 9, 13]), new SPPF(8, 6, 5)];
    sppf.loadStateDict(spp.stateDict());
    expect(await gap(spp, sppf, image(8, 20))).toBe(0);
  });

  it('focus as the convolution of v6.0 does: 3x3 over squares of 2x2 is 6x6 with stride 2', async () => {
    manualSeed(0);
    const [focus, conv] = [new Focus(3, 4, 3), new Conv(3, 4, 6, 2, 2)];
    const [from, to] = [focus.conv.conv.weight.data.float32, conv.conv.weight.data.float32];
    for (let out = 0; out < 4; out++) {
      for (let input = 0; input < 12; input++) {
        // Squares come as top left, bottom left, top right, bottom right; three channels each.
        const [square, channel] = [Math.floor(input / 3), input % 3];
        const [down, right] = [square % 2, square >> 1];
        for (let row = 0; row < 3; row++) {
          for (let column = 0; column < 3; column++) {
            to[((out * 3 + channel) * 6 + 2 * row + down) * 6 + 2 * column + right] =
              from[((out * 12 + input) * 3 + row) * 3 + column]!;
          }
        }
      }
    }
    expect(await gap(focus, conv, image(3, 16))).toBeLessThan(1e-5);
  });

  it('make the whole of v5.0: 7,276,605 parameters for s and 80 classes', () => {
    manualSeed(0);
    const model = yolov5('s', { version: 5 });
    let count = 0;
    for (const parameter of model.parameters()) count += parameter.size;
    expect(count).toBe(7_276_605);
    expect(model.stateDict().get('model.0.conv.conv.weight')?.shape).toEqual([32, 12, 3, 3]);
  });
});
