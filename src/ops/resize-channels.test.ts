import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { wrongLabels } from '../../test/moved-labels.ts';
import { Tensor } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';
import { RESIZE } from './resize.ts';
import { RESIZE_CHANNELS } from './resize-channels.ts';

const scales = (...numbers: number[]): Tensor => Tensor.of(Float32Array.from(numbers), [numbers.length]);
const sizes = Tensor.int64;

describe('channels of resampling', () => {
  it('have a rule in each operator', () => {
    expect(RESIZE.map(({ opType }) => opType).filter((opType) => !(opType in RESIZE_CHANNELS))).toEqual([]);
  });

  it('stay along axes that are resampled, and go on along the others', () => {
    const found = {
      outputs: ['0: a0, 1: a1, 3: a3'],
      frozen: { a2: "Resize 'node': resamples along it" },
    };
    const input = 'float32[2, 3, 4, 5]';
    expect(channelLabels('Resize', [input, null, scales(1, 1, 2, 1)])).toMatchObject(found);
    expect(channelLabels('Resize', [input, null, null, sizes([2, 3, 6, 5])])).toMatchObject(found);
    expect(channelLabels('Resize', [input, scales(1, 1, 2, 1)], { opset: 10 })).toMatchObject(found);
    expect(
      channelLabels('Resize', [input, null, null, sizes([6, 5])], {
        attributes: { axes: attr.ints([-2, 3]) },
      }),
    ).toMatchObject(found);
    expect(channelLabels('Upsample', [input, scales(1, 1, 2, 1)], { opset: 9 })).toMatchObject({
      outputs: found.outputs,
      frozen: { a2: "Upsample 'node': resamples along it" },
    });
  });

  it('stay along all axes where one scale is found for them, or a region is cropped', () => {
    const along = { a0: "Resize 'node': resamples along it", a1: "Resize 'node': resamples along it" };
    expect(
      channelLabels('Resize', ['float32[2, 3]', null, null, sizes([2, 3])], {
        attributes: { keep_aspect_ratio_policy: attr.string('not_larger') },
      }),
    ).toMatchObject({ outputs: [''], frozen: along });
    expect(
      channelLabels('Resize', ['float32[2, 3]', scales(0, 0, 1, 1), null, sizes([2, 3])], {
        attributes: { coordinate_transformation_mode: attr.string('tf_crop_and_resize') },
      }),
    ).toMatchObject({ outputs: [''], frozen: along });
  });

  it('of a matrix go together along what is resampled', () => {
    const rows = channelLabels('Resize', ['float32[6] as [2, 3]', null, scales(2, 1)]);
    expect(rows).toMatchObject({
      inputs: ['0: a0.0 a0.1 a0.2 a0.0 a0.1 a0.2', '', '0: c0'],
      outputs: ['1: a0.0 a0.1 a0.2'],
    });
    const columns = channelLabels('Resize', ['float32[6] as [2, 3]', null, scales(1, 2)]);
    expect(columns).toMatchObject({
      inputs: ['0: a0.0 a0.0 a0.0 a0.3 a0.3 a0.3', '', '0: c0'],
      outputs: ['0: a0.0 a0.3'],
    });
  });

  it('are those that onnxruntime gives', async () => {
    const labels = channelLabels('Resize', ['float32[2, 3, 2, 4]', null, scales(1, 1, 2, 0.5)]);
    expect(await wrongLabels(labels)).toEqual([]);
  });
});
