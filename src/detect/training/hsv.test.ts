import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../core/errors.ts';
import { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import { hsvToRgb, multiplyHsv, randomHsv, rgbToHsv } from './hsv.ts';

const channels = (packed: number): number[] => [packed >> 16, (packed >> 8) & 255, packed & 255];

/** Lines of `a b c = d e f`. */
const table = (text: string): (readonly [number[], number[]])[] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.split('=').map(numbers) as [number[], number[]]);
const numbers = (text: string): number[] => (text.match(/\d+/g) ?? []).map(Number);

/** Colours with their hue, saturation and value: OpenCV's formulas for bytes in NumPy, seed 0 for the later ones. */
const COLOURS = table(`
  0 0 0 = 0 0 0
  255 255 255 = 0 0 255
  255 0 0 = 0 255 255
  0 255 0 = 60 255 255
  0 0 255 = 120 255 255
  255 255 0 = 30 255 255
  0 255 255 = 90 255 255
  255 0 255 = 150 255 255
  128 64 32 = 10 191 128
  10 200 199 = 90 242 200
  200 10 11 = 0 242 200
  217 163 130 = 11 102 217
  69 78 10 = 34 222 78
  19 4 44 = 131 232 44
  208 166 233 = 139 73 233
  128 155 248 = 113 123 248
  186 161 139 = 14 64 186
  143 239 71 = 47 179 239
  208 171 0 = 25 255 208
  100 219 141 = 70 139 219
`);

/** The way back, in NumPy's float32. */
const BACK = table(`
  0 255 255 = 255 0 0
  30 128 200 = 200 200 100
  59 77 91 = 64 91 64
  60 255 255 = 0 255 0
  100 200 50 = 11 37 50
  120 10 240 = 231 231 240
  150 255 128 = 128 0 128
  178 255 255 = 255 0 17
  15 100 33 = 33 27 20
  90 0 77 = 77 77 77
`);

/** COLOURS with their hue times 1.01, saturation times 1.4 and value times 0.8, by NumPy. */
const CHANGED = `
  0 0 0, 204 204 204, 204 0 0, 0 204 0, 7 0 204, 204 204 0, 0 204 204
  204 0 197, 102 34 0, 0 160 160, 160 0 0, 173 112 77, 54 62 0, 14 0 35
  161 112 186, 64 91 198, 148 120 96, 85 191 4, 166 138 0, 42 175 86
`;

const image = (colours: readonly (readonly number[])[]): Tensor =>
  new Tensor('uint8', [1, colours.length, 3], Uint8Array.from(colours.flat()));

describe('rgbToHsv and hsvToRgb', () => {
  it("gives OpenCV's numbers of bytes", () => {
    for (const [[r, g, b], hsv] of COLOURS)
      expect(channels(rgbToHsv(r!, g!, b!)), `${r} ${g} ${b}`).toEqual(hsv);
    for (const [[h, s, v], rgb] of BACK)
      expect(channels(hsvToRgb(h!, s!, v!)), `${h} ${s} ${v}`).toEqual(rgb);
  });

  it('comes back to about the colour it came from', () => {
    let most = 0;
    for (let r = 0; r < 256; r += 5)
      for (let g = 0; g < 256; g += 5)
        for (let b = 0; b < 256; b += 5) {
          const [h, s, v] = channels(rgbToHsv(r, g, b)) as [number, number, number];
          const back = channels(hsvToRgb(h, s, v));
          most = Math.max(most, Math.abs(back[0]! - r), Math.abs(back[1]! - g), Math.abs(back[2]! - b));
        }
    // A step of the hue is a thirtieth of the spread.
    expect(most).toBeLessThanOrEqual(5);
  });
});

describe('multiplyHsv', () => {
  it('multiplies hue, saturation and value as NumPy does, and leaves the image alone', () => {
    const colours = COLOURS.map(([rgb]) => rgb);
    const from = image(colours);
    const out = multiplyHsv(from, [1.01, 1.4, 0.8]);
    expect([...out.bytes]).toEqual(numbers(CHANGED));
    expect([...from.bytes]).toEqual(colours.flat());
  });

  it('goes around the circle of hues, and stops at the most of the others', () => {
    // 120 * 1.75 = 210 is 30: yellow.
    expect([...multiplyHsv(image([[0, 0, 200]]), [1.75, 2, 2]).bytes]).toEqual([255, 255, 0]);
  });

  it('refuses what is no image', () => {
    expect(() => multiplyHsv(Tensor.zeros('uint8', [2, 2]), [1, 1, 1])).toThrow(
      new ShapeError('multiplyHsv: expected an image uint8[height, width, 3] (RGB), got uint8[2, 2]'),
    );
  });
});

describe('randomHsv', () => {
  it('draws three shares, whatever the ranges', () => {
    const from = image([[10, 100, 200]]);
    const [h, s, v] = new Generator(3).uniform(3, -1, 1) as Float32Array & [number, number, number];
    const ranges = { hsvH: 0.2, hsvS: 0.7, hsvV: 0.4 };
    const random = new Generator(3);
    expect(randomHsv(from, ranges, random).bytes).toEqual(
      multiplyHsv(from, [1 + h * 0.2, 1 + s * 0.7, 1 + v * 0.4]).bytes,
    );
    const after = random.random32();
    const still = new Generator(3);
    expect(randomHsv(from, { hsvH: 0, hsvS: 0, hsvV: 0 }, still)).toBe(from);
    expect(still.random32()).toBe(after);
  });
});
