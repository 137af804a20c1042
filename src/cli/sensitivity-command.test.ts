import { expect, it } from 'vitest';
import { coloured } from './sensitivity-command.ts';

const TABLE =
  'layer  weights   50 %   90 %   chosen\nconv1       54  98.60  97.20  37.00 %\nfc2         84  90.01  -0.50  80.00 %';

it('colours what has fallen by a hundredth and by a twentieth, and nothing else', () => {
  expect(coloured(TABLE, 0.99, true)).toBe(
    'layer  weights   50 %   90 %   chosen\nconv1       54  98.60  \x1b[33m97.20\x1b[39m  37.00 %\nfc2         84  \x1b[31m90.01\x1b[39m  \x1b[31m-0.50\x1b[39m  80.00 %',
  );
});

it('leaves tables alone where there are no colours', () => {
  expect(coloured(TABLE, 0.99, false)).toBe(TABLE);
});
