import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { detectionsSvg, drawnImage } from './draw-detections.ts';

describe('drawnImage', () => {
  const grey = new Tensor('uint8', [60, 80, 3], new Uint8Array(60 * 80 * 3).fill(128));

  it('makes large images smaller before boxes are drawn, which move along', async () => {
    const found = [{ box: [40, 30, 72, 54], confidence: 0.9, label: 0 } as const];
    const drawn = await drawnImage(grey, found, 'png', { longest: 40 });
    expect([drawn.width, drawn.height]).toEqual([40, 30]);
    const { data, info } = await sharp(drawn.bytes).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([40, 30]);
    const at = (x: number, y: number): string =>
      data.subarray((y * 40 + x) * info.channels, (y * 40 + x) * info.channels + 3).join();
    // On the right edge of the box, and inside and outside of it.
    expect(at(36, 24)).not.toBe('128,128,128');
    expect(at(32, 25)).toBe('128,128,128');
    expect(at(38, 28)).toBe('128,128,128');
  });

  it('leaves small ones as they are', async () => {
    const { width, height, bytes } = await drawnImage(grey, [], 'jpg', { longest: 640 });
    expect([width, height]).toEqual([80, 60]);
    expect([...bytes.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
  });
});

describe('detectionsSvg', () => {
  const labelled = (label: number, confidence = 0.5) =>
    ({ box: [20, 20, 60, 50], confidence, label }) as const;

  it('draws names above the frames of all boxes', () => {
    const svg = detectionsSvg([labelled(0, 0.9), labelled(1, 0.3)], { height: 60, width: 80 });
    expect(svg.lastIndexOf('fill="none"')).toBeLessThan(svg.indexOf('<text'));
    expect(svg.match(/<text/g)).toHaveLength(2);
  });

  it('writes black on light colours and white on dark ones', () => {
    // Hues of the first classes in degrees: red, green, violet, yellow.
    const hues = [0, 138, 275, 53];
    const colours = hues.map((hue, label) => {
      const svg = detectionsSvg([labelled(label)], { height: 60, width: 80 });
      expect(svg).toContain(`hsl(${hue}, 85%, 42%)`);
      return /<text[^>]*fill="(#\w+)"/.exec(svg)?.[1];
    });
    expect(colours).toEqual(['#fff', '#000', '#fff', '#000']);
  });
});
