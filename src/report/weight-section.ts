import { ArgumentError } from '../core/errors.ts';
import { toFloat32 } from '../core/float16.ts';
import type { Tensor } from '../core/tensor.ts';
import type { AnyModule, ParameterPlace } from '../nn/index.ts';
import { countZeros } from '../profile/index.ts';
import { weightHistogram } from './histogram.ts';
import { maskMap } from './mask-map.ts';
import type { ReportItem, ReportSection, ReportTable } from './report.ts';

/** Options of `weightSection`. */
export interface WeightSectionOptions {
  /**
   * The network before: a module, or elements by name as `stateDict()` gives them (copied, if training went on). Where a parameter is not in it, and by
   * default, the elements under the mask stand for it.
   */
  readonly before?: AnyModule | ReadonlyMap<string, Tensor>;
  /** Most parameters that are drawn, the largest first; a table lists all. Default: 12. */
  readonly limit?: number;
  /** Bins of the histograms. Default: that of `weightHistogram`. */
  readonly bins?: number;
  /** Default: `Weights`. */
  readonly title?: string;
}

interface Pruned extends Pick<ParameterPlace, 'parameter'> {
  readonly name: string;
  readonly mask: Tensor;
}

const nameOf = ({ path, name }: ParameterPlace): string => (path === '' ? name : `${path}.${name}`);

/** Elements before, by the names that parameters have while they are not pruned. */
function earlierElements(before: WeightSectionOptions['before']): ReadonlyMap<string, Tensor> {
  if (before === undefined) return new Map();
  if (!('parameterPlaces' in before)) return before;
  return new Map([...before.parameterPlaces()].map((place) => [nameOf(place), place.parameter.data]));
}

const float32Of = (tensor: Tensor): Float32Array => toFloat32(tensor).float32;

function overview(pruned: readonly Pruned[]): ReportTable {
  const row = (name: string, shape: string | null, weights: number, kept: number) => {
    return [name, shape, weights, weights - kept, weights === 0 ? 0 : (weights - kept) / weights];
  };
  const kept = pruned.map(({ mask }) => mask.size - countZeros(mask));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    kind: 'table',
    title: 'Pruned parameters',
    columns: [
      { label: 'parameter' },
      { label: 'shape' },
      { label: 'weights', format: 'integer' },
      { label: 'pruned', format: 'integer' },
      { label: 'share', format: 'percent' },
    ],
    rows: pruned.map(({ name, mask }, index) => row(name, mask.shape.join(' × '), mask.size, kept[index]!)),
    total: row('total', null, sum(pruned.map(({ mask }) => mask.size)), sum(kept)),
  };
}

/** Says that `shown` of `all` are drawn. */
function limitText(shown: number, all: number): string {
  if (shown === 0) return `None of ${all} pruned parameters are drawn; all are in the table.`;
  const largest =
    shown === 1
      ? `The largest of ${all} pruned parameters is`
      : `The ${shown} largest of ${all} pruned parameters are`;
  const rest = all - shown;
  return `${largest} drawn; ${rest} more ${rest === 1 ? 'is' : 'are'} in the table.`;
}

/**
 * A section on the pruned parameters of a module: a table of all, and a histogram and a mask map of each, in the module's order. Parameters whose
 * pruning was made permanent have no mask any more and are not among them. Throws ArgumentError where `limit` cannot be.
 */
export function weightSection(after: AnyModule, options: WeightSectionOptions = {}): ReportSection {
  const { limit = 12, bins, title = 'Weights' } = options;
  if (!Number.isInteger(limit) || limit < 0) {
    throw new ArgumentError(`weightSection: limit must be a whole number >= 0, got ${limit}`);
  }
  const pruned = [...after.parameterPlaces()].flatMap((place): Pruned[] => {
    const { parameter } = place;
    const { mask } = parameter;
    return mask === null || mask.size === 0 ? [] : [{ name: nameOf(place), parameter, mask }];
  });
  if (pruned.length === 0) return { title, text: 'No parameter is pruned.', items: [] };
  const drawn = new Set([...pruned].sort((a, b) => b.mask.size - a.mask.size).slice(0, limit));
  const earlier = earlierElements(options.before);
  const items = pruned
    .filter((entry) => drawn.has(entry))
    .flatMap(({ name, parameter, mask }): ReportItem[] => [
      weightHistogram(float32Of(earlier.get(name) ?? parameter.orig), float32Of(parameter.data), {
        ...(bins === undefined ? {} : { bins }),
        title: name,
      }),
      maskMap(mask, { title: name, axis: parameter.layout?.output ?? 0 }),
    ]);
  const text = drawn.size === pruned.length ? {} : { text: limitText(drawn.size, pruned.length) };
  return { title, ...text, items: [overview(pruned), ...items] };
}
