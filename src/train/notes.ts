import type { Node } from '../ir/index.ts';
import { type AnyModule, GraphModule } from '../nn/index.ts';
import { allNodes, findOperator, type Layer, layerOf } from '../ops/index.ts';

/** Names listed before the rest is only counted. */
const MOST_NAMES = 3;

/**
 * What someone who is about to train a model should know of it, a sentence or two each: what a file that was exported for inference no longer has (batch norm, dropout), and which parameters cannot be
 * trained or will not be. Empty where there is nothing to say.
 */
export function trainingNotes(model: AnyModule): readonly string[] {
  return [...graphNotes(model), ...parameterNotes(model)];
}

function graphNotes(model: AnyModule): string[] {
  const graphs = [...model.modules()].filter(
    (module): module is GraphModule => module instanceof GraphModule,
  );
  if (graphs.length === 0) return [];
  const layers = graphs.flatMap(({ graph }) =>
    [...allNodes(graph)].map((node) => ({ layer: layerOf(node), trains: trainsOtherwise(node) })),
  );
  const notes: string[] = [];
  // Batch norm has parameters, dropout has none.
  if (
    layers.some(({ layer }) => isConvolution(layer)) &&
    !layers.some(({ trains, layer }) => trains && layer)
  ) {
    notes.push(
      'The file has convolutions but no batch norm: if the network has some, exporting folded it into them. Its statistics are then frozen into the weights and training does not renew them, so use a lower learning rate, or export the network with batch norm kept (PyTorch: model.eval(), then torch.onnx.export with training=TrainingMode.PRESERVE and do_constant_folding=False).',
    );
  }
  if (!layers.some(({ trains, layer }) => trains && !layer)) {
    notes.push(
      'The file has no dropout: where the network was trained with it, exporting left it out, and training goes on without.',
    );
  }
  return notes;
}

/** Does a node compute something else in training? */
const trainsOtherwise = (node: Node): boolean =>
  findOperator(node.domain, node.opType)?.training !== undefined;

const isConvolution = (layer: Layer | null): boolean =>
  layer?.parameters.some(({ layout }) => layout !== undefined && layout.kernel.length > 0) ?? false;

function parameterNotes(model: AnyModule): string[] {
  const places = [...model.parameterPlaces()].map(({ path, name, parameter }) => ({
    name: path === '' ? name : `${path}.${name}`,
    parameter,
  }));
  const notes: string[] = [];
  const others = new Map<string, string[]>();
  for (const { name, parameter } of places) {
    const { dtype } = parameter.data;
    if (dtype === 'float32') continue;
    others.set(dtype, [...(others.get(dtype) ?? []), name]);
  }
  for (const [dtype, names] of others) {
    notes.push(
      `${listed(names)} ${be(names)} ${dtype}; training expects float32, so convert the model first.`,
    );
  }
  const frozen = places.filter(({ parameter }) => !parameter.requiresGrad).map(({ name }) => name);
  if (frozen.length > 0) {
    notes.push(`${listed(frozen)} ${be(frozen)} frozen (requiresGrad is false) and will not be trained.`);
  }
  return notes;
}

const be = (names: readonly string[]): string => (names.length === 1 ? 'is' : 'are');

/** `'a', 'b', 'c' and 4 more parameters` */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map((name) => `'${name}'`);
  const more = names.length - shown.length;
  if (more > 0) return `${shown.join(', ')} and ${more} more ${more === 1 ? 'parameter' : 'parameters'}`;
  const last = shown.pop() ?? '';
  return shown.length > 0 ? `${shown.join(', ')} and ${last}` : last;
}
