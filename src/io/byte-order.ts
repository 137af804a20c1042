/** A copy in which every `width` bytes stand the other way round. `width` divides the length. */
export function swappedBytes(bytes: Uint8Array, width: number): Uint8Array {
  const result = new Uint8Array(bytes.byteLength);
  for (let start = 0; start < bytes.byteLength; start += width) {
    for (let index = 0; index < width; index++) result[start + index] = bytes[start + width - 1 - index]!;
  }
  return result;
}
