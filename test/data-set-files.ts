import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Generator } from '../src/core/random.ts';
import type { Tensor } from '../src/core/tensor.ts';

/** The bytes of an idx file of bytes: magic, sizes, elements. */
function idx(sizes: readonly number[], elements: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * sizes.length + elements.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0800 + sizes.length);
  for (const [axis, size] of sizes.entries()) view.setUint32(4 + 4 * axis, size);
  bytes.set(elements, 4 + 4 * sizes.length);
  return bytes;
}

/**
 * Writes the four files of a made-up MNIST: images of 28x28 with noise and, for each of ten classes, a bright bar in a place of its own. A network learns
 * them within some hundred steps.
 */
export function writeIdxFiles(
  folder: string,
  counts: { readonly train: number; readonly test: number },
): void {
  for (const [half, count, seed] of [
    ['train', counts.train, 1],
    ['t10k', counts.test, 2],
  ] as const) {
    const noise = new Generator(seed).rand(count * 784);
    const images = Uint8Array.from(noise, (value) => value * 80);
    const labels = Uint8Array.from({ length: count }, (_, index) => index % 10);
    for (const [index, label] of labels.entries()) {
      const [top, left] = [4 + 10 * Math.floor(label / 5), 2 + 5 * (label % 5)];
      for (let y = top; y < top + 8; y++) {
        for (let x = left; x < left + 4; x++) images[index * 784 + y * 28 + x] = 250;
      }
    }
    writeFileSync(join(folder, `${half}-images-idx3-ubyte`), idx([count, 28, 28], images));
    writeFileSync(join(folder, `${half}-labels-idx1-ubyte`), idx([count], labels));
  }
}

/** Writes an array as an .npy file of version 1. */
export function writeNpy(path: string, tensor: Tensor): void {
  const descr = tensor.dtype === 'int64' ? '<i8' : '<f4';
  const sizes = tensor.shape.map((size) => `${size},`).join(' ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // Ten bytes stand before the text, which fills up to a multiple of 64 with its line end.
  const length = Math.ceil((text.length + 11) / 64) * 64 - 10;
  const head = Buffer.from(`\x93NUMPY\x01\x00\0\0${text.padEnd(length - 1)}\n`, 'latin1');
  head.writeUInt16LE(length, 8);
  writeFileSync(path, Buffer.concat([head, tensor.bytes]));
}
