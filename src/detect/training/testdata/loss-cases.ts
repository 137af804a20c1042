import { Generator } from '../../../core/random.ts';
import { sizeOf, Tensor } from '../../../core/tensor.ts';
import type { Anchors } from '../../../models/index.ts';

export type Label = readonly [label: number, x: number, y: number, width: number, height: number];

/** A batch, and what the loss of YOLOv5 7.0 gives for it. */
export interface LossCase {
  readonly name: string;
  readonly classes: number;
  readonly size: readonly [height: number, width: number];
  readonly images: number;
  readonly anchors: Anchors;
  readonly strides: readonly number[];
  readonly imageSize: number;
  readonly seed: number;
  readonly scale: number;
  /** What differs from the usual, under Ultralytics' names. */
  readonly hyperparameters: Readonly<Record<string, number>>;
  readonly labels: readonly (readonly Label[])[];
  readonly loss: number;
  readonly box: number;
  readonly obj: number;
  readonly cls: number;
  /** Of each map what is not 0, by flat index. */
  readonly gradients: readonly { readonly index: readonly number[]; readonly value: readonly number[] }[];
  /** Of each map rows of image, anchor, row, column, class, and the box in cells. */
  readonly matches: readonly (readonly (readonly number[])[])[];
}

/** The cases of src/detect/testdata/loss.json, which generate-loss.py makes. */
export const parseLossCases = (text: string): readonly LossCase[] => JSON.parse(text) as readonly LossCase[];

/** The labels of each image as YoloLoss takes them. */
export const labelTensors = (labels: readonly (readonly Label[])[]): Tensor[] =>
  labels.map((rows) => new Tensor('float32', [rows.length, 5], Float32Array.from(rows.flat())));

/** The maps that a case was made with: uniform numbers around 0. */
export function mapsOf({ seed, scale, images, strides, size, classes, anchors }: LossCase): Tensor[] {
  const generator = new Generator(BigInt(seed));
  return strides.map((stride) => {
    const shape = [images, anchors[0]!.length / 2, size[0] / stride, size[1] / stride, 5 + classes];
    const shares = generator.rand(sizeOf(shape));
    return new Tensor(
      'float32',
      shape,
      shares.map((share) => Math.fround(share * scale) - scale / 2),
    );
  });
}
