/** The finalizer of MurmurHash3 (Appleby 2011): every bit of the input turns about half of the output's. */
function mix(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * A seed of 32 bits, as many as the Mersenne twister takes, that is a function of the run's seed, the epoch and the sample. Neighbours of
 * any of the three get seeds that have nothing in common.
 */
export function sampleSeed(seed: number | bigint, epoch: number, index: number): number {
  const whole = BigInt.asUintN(64, BigInt(seed));
  // Epochs and indices may have more than 32 bits.
  const words = [Number(whole & 0xffff_ffffn), Number(whole >> 32n)];
  for (const part of [epoch, index]) words.push(part >>> 0, Math.floor(part / 2 ** 32));
  return words.reduce((hash, word) => mix((Math.imul(hash, 5) + 0xe6546b64) ^ mix(word)), 0);
}
