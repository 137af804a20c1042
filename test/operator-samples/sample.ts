import type * as ort from 'onnxruntime-node';
import { DTYPES, type DType } from '../../src/core/dtype.ts';
import { Tensor } from '../../src/core/tensor.ts';
import { type Attribute, attr, type Dim, Graph, tensorType, type Value } from '../../src/ir/index.ts';
import { someInput } from '../conformance.ts';

/** An attribute; a bare number is an int, a bare list ints, a bare text a string. */
type Plain = Attribute | number | readonly number[] | string;

/** What a sample says beside its inputs and attributes. */
export interface SampleOptions {
  /** Number of outputs; 1 by default. */
  readonly outputs?: number;
  /** Why some dimensions are unknown before the run. */
  readonly dataDependent?: string;
}

/** A model of one node. */
export interface Sample extends SampleOptions {
  readonly opset: number;
  /**
   * `float32[n=2, 3]`: a graph input whose first dimension is the symbol n, of size 2 when it runs. A tensor: an initializer. Null: left out.
   */
  readonly inputs: readonly (string | Tensor | null)[];
  readonly attributes: Readonly<Record<string, Plain>>;
}

/** A model that is more than one node; it has a node of the operator. */
export interface BuiltSample {
  readonly opset: number;
  readonly dataDependent?: string;
  readonly build: (opset: number) => SampleGraph;
}

/** The graph of a sample, and the sizes its symbols have when it runs. */
export interface SampleGraph {
  readonly graph: Graph;
  readonly sizes: Readonly<Record<string, number>>;
}

/** Why an operator has no sample: what onnxruntime's CPU build cannot run. */
export interface NotRun {
  readonly notRun: string;
}

/** Samples by operator; operators of other domains as `domain:opType`. */
export type Samples = Readonly<Record<string, readonly (Sample | BuiltSample)[] | NotRun>>;

/** The same sample at several opsets. */
export const at = (
  opsets: readonly number[],
  inputs: Sample['inputs'],
  attributes: Sample['attributes'] = {},
  options: SampleOptions = {},
): Sample[] => opsets.map((opset) => ({ opset, inputs, attributes, ...options }));

/** An int64 vector. */
export const ints = (...values: readonly number[]): Tensor => Tensor.int64(values);

/** A float32 vector. */
export const floats = (...values: readonly number[]): Tensor => Tensor.of(Float32Array.from(values));

/** A tensor of any plain dtype. */
export function filled(dtype: DType, shape: readonly number[], value: number): Tensor {
  const input = someInput(dtype, shape);
  const data = input.data;
  if (data instanceof BigInt64Array) data.fill(BigInt(value));
  else if (!Array.isArray(data) && !(data instanceof BigUint64Array)) data.fill(value);
  return new Tensor(dtype, shape, data as Exclude<ort.Tensor['data'], string[]>);
}

/** Makes the model of a sample. */
export function graphOf(opType: string, domain: string, sample: Sample | BuiltSample): SampleGraph {
  if ('build' in sample) return sample.build(sample.opset);
  const graph = new Graph({ opset: domain === '' ? sample.opset : 17 });
  if (domain !== '') graph.opsetImports.set(domain, sample.opset);
  const sizes: Record<string, number> = {};
  const inputs = sample.inputs.map((input, index): Value | null => {
    if (input === null) return null;
    if (input instanceof Tensor) return graph.addInitializer(`constant${index}`, input);
    const [, dtype = '', dims = ''] = /^(\w+)\[(.*)\]$/.exec(input) ?? [];
    if (!isDType(dtype)) throw new Error(`sample input '${input}': no dtype`);
    const shape = dims.split(',').flatMap((text): Dim[] => {
      const [name = '', size] = text.trim().split('=');
      if (name === '') return [];
      if (size === undefined) return [Number(name)];
      sizes[name] = Number(size);
      return [name];
    });
    return graph.addInput(`input${index}`, tensorType(dtype, shape));
  });
  const attributes = Object.entries(sample.attributes).map(([name, value]): [string, Attribute] => {
    if (typeof value === 'number') return [name, attr.int(value)];
    if (typeof value === 'string') return [name, attr.string(value)];
    return [name, 'kind' in value ? value : attr.ints(value)];
  });
  const node = graph.addNode({
    opType,
    domain,
    name: 'node',
    inputs,
    outputs: Array.from({ length: sample.outputs ?? 1 }, (_, index) => `output${index}`),
    attributes: new Map(attributes),
  });
  graph.addOutput(node.output(0));
  return { graph, sizes };
}

const isDType = (name: string): name is DType => Object.hasOwn(DTYPES, name);
