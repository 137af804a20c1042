import { Tensor } from '../core/tensor.ts';
import { checkNormalization, type Normalization, normalized } from './normalize.ts';
import { TensorDataset } from './tensor-dataset.ts';

/** Images as bytes, one after the other, and what is to become of them. */
export interface ByteImages {
  /** Who asks, for messages. */
  readonly caller: string;
  /** [N, C, H, W] in one piece. */
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Black pixels to add at each edge. */
  readonly padding: number;
  /** Null leaves values in [0, 1]. */
  readonly normalization: Normalization | null;
  readonly classes: readonly string[];
}

/** Which normalization an option asks for: true the data set's own, false none. */
export const normalizationOf = (option: boolean | Normalization, own: Normalization): Normalization | null =>
  option === true ? own : option === false ? null : option;

/** A data set of float32[N, C, H, W] images and int64[N] classes. The labels were checked before. */
export function datasetOfBytes(images: ByteImages): TensorDataset {
  const { caller, pixels, labels, channels, height, width, padding, normalization } = images;
  if (normalization !== null) checkNormalization(caller, normalization, channels);
  const tables = Array.from({ length: channels }, (_, channel) => tableOf(normalization, channel));
  const count = labels.length;
  const [outHeight, outWidth] = [height + 2 * padding, width + 2 * padding];
  const out = new Float32Array(count * channels * outHeight * outWidth);
  let from = 0;
  for (let plane = 0; plane < count * channels; plane++) {
    const table = tables[plane % channels]!;
    const start = plane * outHeight * outWidth;
    if (padding > 0) out.fill(table[0]!, start, start + outHeight * outWidth);
    for (let row = 0; row < height; row++) {
      const to = start + (row + padding) * outWidth + padding;
      for (let x = 0; x < width; x++) out[to + x] = table[pixels[from++]!]!;
    }
  }
  const targets = BigInt64Array.from(labels, BigInt);
  return new TensorDataset(
    new Tensor('float32', [count, channels, outHeight, outWidth], out),
    new Tensor('int64', [count], targets),
    { classes: images.classes },
  );
}

/** What each byte becomes: 256 numbers are computed, not one per pixel. */
function tableOf(normalization: Normalization | null, channel: number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => {
    const value = Math.fround(byte / 255);
    return normalization === null
      ? value
      : normalized(value, normalization.mean[channel]!, normalization.std[channel]!);
  });
}
