import { type DType, dtypeInfo } from './dtype.ts';
import { ArgumentError } from './errors.ts';
import { Tensor } from './tensor.ts';

/** How a small float is laid out in its bits, sign first. */
interface SmallFloat {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  /** What the patterns at the top mean: IEEE's infinities and NaNs, NaN only where all bits are 1, or NaN only for "-0". */
  readonly special: 'ieee' | 'top-nan' | 'negative-zero-nan';
}

/** IEEE 754 half precision; bfloat16; the float8 types of Micikevicius et al. 2022 and of Graphcore ("fnuz"), as ONNX takes them. */
const SMALL_FLOATS = {
  float16: { exponentBits: 5, mantissaBits: 10, bias: 15, special: 'ieee' },
  bfloat16: { exponentBits: 8, mantissaBits: 7, bias: 127, special: 'ieee' },
  float8e4m3fn: { exponentBits: 4, mantissaBits: 3, bias: 7, special: 'top-nan' },
  float8e4m3fnuz: { exponentBits: 4, mantissaBits: 3, bias: 8, special: 'negative-zero-nan' },
  float8e5m2: { exponentBits: 5, mantissaBits: 2, bias: 15, special: 'ieee' },
  float8e5m2fnuz: { exponentBits: 5, mantissaBits: 2, bias: 16, special: 'negative-zero-nan' },
} as const satisfies Partial<Record<DType, SmallFloat>>;

type SmallFloatName = keyof typeof SMALL_FLOATS;

const isSmallFloat = (dtype: DType): dtype is SmallFloatName => dtype in SMALL_FLOATS;

/** True for the floating-point dtypes that have numbers as float32 has: not for packed ones, nor for those of powers of two alone. */
export const isPlainFloat = (dtype: DType): boolean =>
  dtype === 'float32' || dtype === 'float64' || isSmallFloat(dtype);

const tables = new Map<SmallFloatName, Float32Array>();

/** The value of every bit pattern, made at first use: looking up is far faster than computing. */
function tableOf(dtype: SmallFloatName): Float32Array {
  const known = tables.get(dtype);
  if (known) return known;
  const { exponentBits, mantissaBits, bias, special }: SmallFloat = SMALL_FLOATS[dtype];
  const table = new Float32Array(2 ** (1 + exponentBits + mantissaBits));
  const half = table.length / 2;
  const topExponent = 2 ** exponentBits - 1;
  for (let pattern = 0; pattern < half; pattern++) {
    const exponent = pattern >> mantissaBits;
    const mantissa = pattern & (2 ** mantissaBits - 1);
    // Normal: 2^(e - bias) (1 + m / 2^M); subnormal: 2^(1 - bias) m / 2^M.
    let value =
      exponent === 0
        ? mantissa * 2 ** (1 - bias - mantissaBits)
        : (2 ** mantissaBits + mantissa) * 2 ** (exponent - bias - mantissaBits);
    if (special === 'ieee' && exponent === topExponent)
      value = mantissa === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
    if (special === 'top-nan' && pattern === half - 1) value = Number.NaN;
    table[pattern] = value;
    table[pattern + half] = -value;
  }
  if (special === 'negative-zero-nan') table[half] = Number.NaN;
  tables.set(dtype, table);
  return table;
}

/**
 * A tensor's elements as float32: small floats by their tables, integers and float64 rounded to the nearest, booleans as 0 and 1. A float32
 * tensor is given back as it is, not copied. Throws ArgumentError for strings, complex numbers and packed types.
 */
export function toFloat32(tensor: Tensor): Tensor {
  const { dtype, shape } = tensor;
  if (dtype === 'float32') return tensor;
  const out = new Float32Array(tensor.size);
  if (isSmallFloat(dtype)) {
    const table = tableOf(dtype);
    const { data } = tensor;
    for (let i = 0; i < out.length; i++) out[i] = table[Number(data[i])]!;
    return new Tensor('float32', shape, out);
  }
  const { kind, bits } = dtypeInfo(dtype);
  if (kind === 'string' || kind === 'complex' || kind === 'float' ? dtype !== 'float64' : bits < 8) {
    throw new ArgumentError(
      `toFloat32: ${tensor} has no float32 form; expected real numbers of at least 8 bits`,
    );
  }
  const { data } = tensor;
  for (let i = 0; i < out.length; i++) out[i] = Number(data[i]);
  return new Tensor('float32', shape, out);
}

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/**
 * Bits of the small float nearest to `value`, halves to even. Too large becomes infinity where the type has it and NaN where it has not, as
 * PyTorch casts.
 */
function toBits(value: number, { exponentBits, mantissaBits, bias, special }: SmallFloat): number {
  float[0] = value;
  const signBit = 2 ** (exponentBits + mantissaBits);
  const sign = word[0]! >>> 31 === 1 ? signBit : 0;
  const magnitude = Math.abs(float[0]!);
  const nan = special === 'negative-zero-nan' ? signBit : special === 'top-nan' ? sign | (signBit - 1) : null;
  const ieeeTop = (2 ** exponentBits - 1) * 2 ** mantissaBits;
  if (Number.isNaN(value)) return nan ?? sign | ieeeTop | (2 ** (mantissaBits - 1));
  // Exponent of the number, read off its float32 bits (subnormal float32 numbers are below every small float's range but bfloat16's,
  // whose exponents are the same); below the smallest normal number of the small float it stays put.
  const e = Math.max(((word[0]! >>> 23) & 0xff) - 127, 1 - bias);
  const scaled = magnitude * 2 ** (mantissaBits - e);
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  // A mantissa that rounds up to the next power of two carries into the exponent by itself.
  const pattern = rounded + (e - (1 - bias)) * 2 ** mantissaBits;
  const most = special === 'ieee' ? ieeeTop : special === 'top-nan' ? signBit - 1 : signBit;
  if (!(pattern < most)) return nan ?? sign | ieeeTop;
  return special === 'negative-zero-nan' && pattern === 0 ? 0 : sign | pattern;
}

/** A number as an element of a floating-point dtype: the nearest one there is, halves to even. */
export function roundedTo(value: number, dtype: DType): number {
  if (dtype === 'float64') return value;
  return isSmallFloat(dtype) ? tableOf(dtype)[toBits(value, SMALL_FLOATS[dtype])]! : Math.fround(value);
}

/**
 * A float32 tensor's elements in another dtype: small floats rounded to the nearest, halves to even; integers cut off towards zero, as
 * PyTorch's `to`. float32 is given back as it is. Throws ArgumentError for strings, complex numbers and packed types.
 */
export function fromFloat32(tensor: Tensor, dtype: DType): Tensor {
  if (dtype === 'float32') return tensor;
  const values = tensor.float32;
  const out = Tensor.zeros(dtype, tensor.shape);
  const { kind, bits } = dtypeInfo(dtype);
  if (kind === 'string' || kind === 'complex' || bits < 8) {
    throw new ArgumentError(
      `fromFloat32: ${dtype} cannot hold float32 numbers; expected real numbers of at least 8 bits`,
    );
  }
  const data = out.data;
  if (isSmallFloat(dtype)) {
    const format = SMALL_FLOATS[dtype];
    for (let i = 0; i < values.length; i++) data[i] = toBits(values[i]!, format);
  } else if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let i = 0; i < values.length; i++) data[i] = BigInt(Math.trunc(values[i]!) || 0);
  } else if (kind === 'bool') {
    for (let i = 0; i < values.length; i++) data[i] = values[i] === 0 ? 0 : 1;
  } else {
    for (let i = 0; i < values.length; i++) data[i] = values[i]!;
  }
  return out;
}
