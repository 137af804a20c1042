import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Box, unnormalized } from '../box.ts';
import type { AnnotatedObject } from './annotated-image.ts';
import { yoloLabelText } from './yolo-label-text.ts';

const SIZE = { height: 100, width: 200 };
const CLASSES = new Map([
  ['a', 0],
  ['b', 1],
]);

const object = (box: Box, name = 'a', mark: AnnotatedObject['mark'] = null): AnnotatedObject => ({
  name,
  box,
  mark,
});

describe('yoloLabelText', () => {
  it('writes a line for each box, in shares of the image', () => {
    expect(yoloLabelText([object([50, 40, 150, 60], 'b'), object([0, 0, 200, 1])], SIZE, CLASSES)).toEqual({
      text: '1 0.5 0.5 0.5 0.2\n0 0.5 0.005 1 0.01\n',
      boxes: 2,
      clipped: 0,
      empty: 0,
      difficult: 0,
      crowd: 0,
      otherClasses: [],
    });
    expect(yoloLabelText([], SIZE, CLASSES)).toMatchObject({ text: '', boxes: 0 });
  });

  it('cuts boxes off at the edges, and leaves out those that are outside or are none', () => {
    const objects = [
      object([-100, -5, 100, 50]),
      object([200, 0, 250, 50]),
      object([10, 10, 10, 20]),
      object([30, 10, 20, 20]),
    ];
    expect(yoloLabelText(objects, SIZE, CLASSES)).toMatchObject({
      text: '0 0.25 0.25 0.5 0.5\n',
      boxes: 1,
      clipped: 1,
      empty: 3,
    });
  });

  it('leaves out difficult objects, crowds and other classes unless asked', () => {
    const whole: Box = [0, 0, 200, 100];
    const objects = [object(whole, 'a', 'difficult'), object(whole, 'b', 'crowd'), object(whole, 'zebra')];
    expect(yoloLabelText(objects, SIZE, CLASSES)).toMatchObject({
      boxes: 0,
      difficult: 1,
      crowd: 1,
      otherClasses: ['zebra'],
    });
    expect(yoloLabelText(objects, SIZE, CLASSES, { difficult: true, crowd: true })).toMatchObject({
      text: '0 0.5 0.5 1 1\n1 0.5 0.5 1 1\n',
      difficult: 0,
      crowd: 0,
    });
  });

  it('gives boxes back to a thousandth of a pixel, and shares no reader refuses', () => {
    const side = fc.integer({ min: 1, max: 20_000 });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(side, side, share, share, share, share, (height, width, a, b, c, d) => {
        const size = { height, width };
        const box: Box = [
          Math.min(a, b) * width,
          Math.min(c, d) * height,
          Math.max(a, b) * width,
          Math.max(c, d) * height,
        ];
        const { text, empty } = yoloLabelText([object(box)], size, CLASSES);
        if (empty === 1) return;
        const [label, ...shares] = text.trim().split(' ').map(Number) as [
          number,
          number,
          number,
          number,
          number,
        ];
        expect(label).toBe(0);
        for (const value of shares) expect(value >= 0 && value <= 1).toBe(true);
        unnormalized(shares as [number, number, number, number], size).forEach((value, corner) => {
          expect(Math.abs(value - box[corner]!)).toBeLessThan(1e-3);
        });
      }),
    );
  });
});
