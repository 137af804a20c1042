import { ACTIVATION } from './activation.ts';
import { CONSTANT } from './constant.ts';
import { CONTRIB } from './contrib.ts';
import { CONTROL } from './control.ts';
import { CAST, ELEMENTWISE } from './elementwise.ts';
import { INDEXING, LAYOUT, REDUCE, RESIZE } from './layout.ts';
import { CONV, LINEAR, NORM, POOL, RECURRENT } from './neural.ts';
import type { Samples } from './sample.ts';

/** Samples of every operator of the table. */
export const SAMPLES: Samples = {
  ...CONV,
  ...LINEAR,
  ...NORM,
  ...ACTIVATION,
  ...POOL,
  ...RECURRENT,
  ...ELEMENTWISE,
  ...CAST,
  ...LAYOUT,
  ...INDEXING,
  ...REDUCE,
  ...RESIZE,
  ...CONSTANT,
  ...CONTROL,
  ...CONTRIB,
};
