import { InvalidArgumentError } from 'commander';

/** A shape given on the command line; `input` null means the model's first input. */
export interface NamedShape {
  readonly input: string | null;
  readonly shape: readonly number[];
}

/** `1,3,640,640` or `images=1,3,640,640`; also with x between the numbers. Collects repeated options. */
export function parseShape(text: string, before: readonly NamedShape[] = []): NamedShape[] {
  const equals = text.lastIndexOf('=');
  const input = equals < 0 ? null : text.slice(0, equals);
  const shape = text
    .slice(equals + 1)
    .split(/[,x]/)
    .map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (shape.length === 0 || shape.some((dim) => !Number.isSafeInteger(dim) || dim < 1)) {
    throw new InvalidArgumentError('expected whole numbers like 1,3,640,640, or NAME=1,3,640,640');
  }
  return [...before, { input, shape }];
}

/** [height, width] of an image: `640` for both, or `384x640`. */
export function parseImageSize(text: string): readonly [height: number, width: number] {
  const [height, width = height, ...more] = text
    .split('x')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : 0));
  if (height && width && more.length === 0 && Number.isSafeInteger(height * width)) return [height, width];
  throw new InvalidArgumentError('expected a size such as 640, or height and width such as 384x640');
}

/** A whole number of at least `least`. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`expected a whole number of at least ${least}`);
  };

/** A whole number, negative ones too, that says an axis. */
export function axis(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('expected a whole number');
}

/** An amount as PyTorch's: `0.3` is a share, `30%` too, `25` a count. */
export function parseAmount(text: string): number | { count: number } {
  const match = /^(\d*\.?\d+)\s*%$/.exec(text);
  const value = match ? Number(match[1]) / 100 : Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('expected a share such as 0.3 or 30%, or a count such as 25');
  }
  if (match || /[.eE]/.test(text) || value === 0) {
    if (value > 1)
      throw new InvalidArgumentError('a share must be at most 1; write a count without a decimal point');
    return value;
  }
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('a count must be a whole number');
  return { count: value };
}

/** Collects a repeatable option. */
export const collect = (text: string, before: readonly string[] = []): string[] => [...before, text];
