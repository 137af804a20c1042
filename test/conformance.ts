import * as ort from 'onnxruntime-node';
import type { DType } from '../src/core/dtype.ts';
import { sizeOf } from '../src/core/tensor.ts';
import { serializeOnnx } from '../src/io/index.ts';
import { cloneGraph, type Graph, printType, tensorType, type Value } from '../src/ir/index.ts';
import type { Inference } from '../src/ops/index.ts';
import { evaluateDim } from '../src/ops/symbolic.ts';

/** Dtype and shape of a value as the engine computed it. */
export interface Computed {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Elements as numbers; empty for strings and types held as bits. */
  readonly elements: readonly number[];
}

/** Values of the graph that nodes make, those of subgraphs left aside. */
const made = (graph: Graph): Value[] =>
  graph.nodes.flatMap((node) => node.outputs.filter((output): output is Value => output !== null));

/** An input for the engine: small numbers, the same in every run; truth values and indices are 0 and 1. */
export function someInput(dtype: DType, shape: readonly number[]): ort.Tensor {
  const size = sizeOf(shape);
  const numbers = Array.from({ length: size }, (_, index) => ((index * 7919) % 200) / 100 - 1);
  const whole = numbers.map((number) => (number > 0 ? 1 : 0));
  switch (dtype) {
    case 'float32':
      return new ort.Tensor('float32', Float32Array.from(numbers), shape);
    case 'float64':
      return new ort.Tensor('float64', Float64Array.from(numbers), shape);
    case 'int64':
      return new ort.Tensor('int64', BigInt64Array.from(whole, BigInt), shape);
    case 'int32':
      return new ort.Tensor('int32', Int32Array.from(whole), shape);
    case 'uint8':
      return new ort.Tensor('uint8', Uint8Array.from(whole), shape);
    case 'int8':
      return new ort.Tensor('int8', Int8Array.from(whole), shape);
    case 'bool':
      return new ort.Tensor('bool', Uint8Array.from(whole), shape);
    default:
      throw new Error(`no test input of dtype ${dtype}`);
  }
}

const elementsOf = (data: ort.Tensor['data']): number[] =>
  data.length > 4096 ? [] : Array.from<unknown, number>(data, (element) => Number(element));

/**
 * Runs the graph in onnxruntime, unoptimized, with every tensor its nodes make as an output. `sizes` are put in place of symbols of the
 * inputs' shapes; `feeds` in place of inputs made by `someInput`.
 */
export async function runEverything(
  graph: Graph,
  inference: Inference,
  sizes: Readonly<Record<string, number>> = {},
  feeds: Readonly<Record<string, ort.Tensor>> = {},
): Promise<ReadonlyMap<string, Computed>> {
  const { graph: copy } = cloneGraph(graph);
  for (const value of made(copy)) {
    // Sequences and optionals have no inferred type and cannot be fetched.
    if (!inference.get(graph.value(value.name))) continue;
    // The engine shall infer for itself, not believe the file.
    value.type = null;
    if (!copy.outputs.includes(value)) copy.addOutput(value);
  }
  const bytes = Buffer.concat(serializeOnnx(copy));
  const session = await ort.InferenceSession.create(bytes, {
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
  });
  try {
    const inputs: Record<string, ort.Tensor> = {};
    for (const input of graph.feeds) {
      const type = inference.get(input);
      if (!type) throw new Error(`input '${input.name}' has no type`);
      const shape = type.shape.map((dim) => Number(evaluateDim(dim, sizes)));
      inputs[input.name] = feeds[input.name] ?? someInput(type.dtype, shape);
    }
    const results = await session.run(inputs);
    return new Map(
      Object.entries(results).map(([name, { type, dims, data }]) => [
        name,
        { dtype: type, shape: dims, elements: elementsOf(data) },
      ]),
    );
  } finally {
    await session.release();
  }
}

/**
 * Where inference and engine disagree on dtype, shape or a known element, a sentence each; symbols are given the sizes of `sizes`. Unknown dimensions disagree unless
 * `unknownFits`.
 */
export function differences(
  graph: Graph,
  inference: Inference,
  computed: ReadonlyMap<string, Computed>,
  sizes: Readonly<Record<string, number>> = {},
  unknownFits = false,
): string[] {
  return made(graph).flatMap((value) => {
    const found = computed.get(value.name);
    if (!found) return [];
    const type = inference.get(value);
    const shape = type?.shape.map((dim) => evaluateDim(dim, sizes));
    const known = type?.known?.map((element) => evaluateDim(element, sizes));
    const wrong = known?.findIndex((element, index) => element !== null && element !== found.elements[index]);
    if (known && wrong !== undefined && wrong >= 0) {
      return [
        `${value.producer?.label} '${value.name}': element ${wrong} inferred ${known[wrong]}, computed ${found.elements[wrong]}`,
      ];
    }
    const agrees =
      type?.dtype === found.dtype &&
      shape?.length === found.shape.length &&
      shape.every((dim, axis) => dim === found.shape[axis] || (unknownFits && dim === null));
    if (agrees) return [];
    const inferred = type && shape ? printType(tensorType(type.dtype, shape)) : 'nothing';
    return [
      `${value.producer?.label} '${value.name}': inferred ${inferred}, computed ${found.dtype}[${found.shape.join(', ')}]`,
    ];
  });
}
