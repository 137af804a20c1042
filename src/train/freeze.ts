import { ArgumentError } from '../core/errors.ts';
import { namePattern } from '../core/name-pattern.ts';
import { nearest } from '../core/nearest.ts';
import type { AnyModule } from '../nn/index.ts';

/**
 * Freezes parameters by patterns over their names, in which `*` stands for any characters, `?` for one and `[0-4]` for one of these: `model.0` freezes what stands in it, `*.bias` all biases. They get no gradient (`requiresGrad`), and the step's graph computes
 * none for them. As in PyTorch and YOLOv5's `--freeze`, the running statistics of batch norms go on moving in training mode.
 *
 * Gives the names of what was frozen, each once. Throws ArgumentError where a pattern matches nothing; nothing has changed then.
 */
export function freeze(model: AnyModule, patterns: string | readonly string[]): readonly string[] {
  const places = [...model.parameterPlaces()].map(({ path, name, parameter }) => ({
    name: path === '' ? name : `${path}.${name}`,
    parameter,
  }));
  const frozen = new Set<(typeof places)[number]>();
  for (const pattern of typeof patterns === 'string' ? [patterns] : patterns) {
    const expression = namePattern(pattern, { within: true });
    const matched = places.filter(({ name }) => expression.test(name));
    if (matched.length === 0) throw unmatched(model, pattern, places);
    for (const place of matched) frozen.add(place);
  }
  const chosen = places.filter((place) => frozen.has(place));
  for (const { parameter } of chosen) parameter.requiresGrad = false;
  return chosen.map(({ name }) => name);
}

function unmatched(
  model: AnyModule,
  pattern: string,
  places: readonly { readonly name: string }[],
): ArgumentError {
  const names = places.map(({ name }) => name);
  const guess = nearest(pattern, names);
  const examples =
    guess === null
      ? names
          .slice(0, 3)
          .map((name) => `'${name}'`)
          .join(', ')
      : `'${guess}'`;
  return new ArgumentError(
    `freeze: no parameter of ${model.typeName} matches '${pattern}'; ${names.length === 0 ? 'it has none' : `names are such as ${examples}`}`,
  );
}
