import { ArgumentError, UnsupportedError } from '../../core/errors.ts';
import { nearest } from '../../core/nearest.ts';

/** How a detector is trained: Ultralytics' hyperparameters, `warmup_epochs` being `warmupEpochs` here. */
export interface DetectorHyperparameters {
  /** First learning rate. */
  readonly lr0: number;
  /** Share of it that is left at the end. */
  readonly lrf: number;
  /** Momentum of SGD, first beta of Adam. */
  readonly momentum: number;
  /** For `nbs` images an update; other numbers of images scale it. */
  readonly weightDecay: number;
  /** Fractions are fine; at least 100 batches are warmed up for. */
  readonly warmupEpochs: number;
  readonly warmupMomentum: number;
  /** Learning rate of biases when warm-up begins. */
  readonly warmupBiasLr: number;
  /** Weights of the loss's parts. */
  readonly box: number;
  readonly cls: number;
  readonly obj: number;
  /** Weights of what is positive in the two cross-entropies. */
  readonly clsPw: number;
  readonly objPw: number;
  /** Least overlap while training; YOLOv5 reads and does not use it, and so does Secateur. */
  readonly iouT: number;
  /** Largest ratio between the sides of a box and of an anchor that may answer for it. */
  readonly anchorT: number;
  /** Gamma of the focal loss; 0: none. */
  readonly flGamma: number;
  /** Largest changes of hue, saturation and value, as shares. */
  readonly hsvH: number;
  readonly hsvS: number;
  readonly hsvV: number;
  /** Largest rotation, in degrees either way. */
  readonly degrees: number;
  /** Largest shift, as a share of the image. */
  readonly translate: number;
  /** Largest change of size: 0.5 is between half and one and a half. */
  readonly scale: number;
  /** Largest shear, in degrees either way. */
  readonly shear: number;
  readonly perspective: number;
  /** Probabilities. */
  readonly flipud: number;
  readonly fliplr: number;
  readonly mosaic: number;
  readonly mixup: number;
  readonly copyPaste: number;
  /** Share of the class targets that is spread over all classes; train.py has it as an option. */
  readonly labelSmoothing: number;
  /**
   * Images that make up one update after warm-up, in as many batches as come nearest: the nominal batch size, 64 and fixed in train.py. Small data sets have few updates with it, and learn faster with less.
   */
  readonly nbs: number;
}

type Name = keyof DetectorHyperparameters;

interface Field {
  readonly usual: number;
  /** Bounds, both allowed but those in `above` and `below`. */
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly above?: number;
  readonly below?: number;
}

const share = (usual: number): Field => ({ usual, atLeast: 0, atMost: 1 });
const weight = (usual: number): Field => ({ usual, atLeast: 0 });

/** Defaults are those of Ultralytics' hyp.scratch-low.yaml (v7.0). */
const FIELDS: Readonly<Record<Name, Field>> = {
  lr0: { usual: 0.01, above: 0 },
  lrf: share(0.01),
  momentum: { usual: 0.937, atLeast: 0, below: 1 },
  weightDecay: weight(0.0005),
  warmupEpochs: weight(3),
  warmupMomentum: { usual: 0.8, atLeast: 0, below: 1 },
  warmupBiasLr: weight(0.1),
  box: weight(0.05),
  cls: weight(0.5),
  obj: weight(1),
  clsPw: { usual: 1, above: 0 },
  objPw: { usual: 1, above: 0 },
  iouT: share(0.2),
  anchorT: { usual: 4, above: 1 },
  flGamma: weight(0),
  hsvH: share(0.015),
  hsvS: share(0.7),
  hsvV: share(0.4),
  degrees: { usual: 0, atLeast: 0, atMost: 180 },
  translate: { usual: 0.1, atLeast: 0, below: 1 },
  scale: { usual: 0.5, atLeast: 0, below: 1 },
  shear: { usual: 0, atLeast: 0, below: 90 },
  perspective: { usual: 0, atLeast: 0, atMost: 0.001 },
  flipud: share(0),
  fliplr: share(0.5),
  mosaic: share(1),
  mixup: share(0),
  copyPaste: share(0),
  labelSmoothing: { usual: 0, atLeast: 0, below: 1 },
  nbs: { usual: 64, atLeast: 1 },
};

const NAMES = Object.keys(FIELDS) as Name[];

/** `hsvH` is `hsv_h` in a yaml. */
const yamlName = (name: Name): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const BY_YAML_NAME = /* @__PURE__ */ new Map(NAMES.map((name) => [yamlName(name), name]));

/** Anchors of each map, which yamls may name. */
const ANCHORS_PER_MAP = 3;

/** Hyperparameters with Ultralytics' defaults for what is left out. Throws ArgumentError for names that are not known and numbers out of range. */
export function detectorHyperparameters(
  given: Partial<DetectorHyperparameters> = {},
): DetectorHyperparameters {
  return filled(Object.entries(given), NAMES, (name) => name as Name);
}

/**
 * Hyperparameters out of the content of an Ultralytics hyp.yaml: `{ lr0: 0.01, hsv_h: 0.015 }`; defaults are those of hyp.scratch-low.yaml. `anchors`, the number of them on each map, may be 0 or
 * three.
 *
 * Throws ArgumentError where it is no map, for names that are not known (the nearest is suggested), and for numbers out of range; UnsupportedError for another number of anchors.
 */
export function parseHyperparameters(content: unknown): DetectorHyperparameters {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new ArgumentError(
      `hyperparameters: expected a map of names and numbers such as lr0: 0.01, got ${content === null ? 'nothing' : Array.isArray(content) ? 'a list' : typeof content}`,
    );
  }
  const { anchors, ...rest } = content as Readonly<Record<string, unknown>>;
  if (anchors !== undefined && anchors !== null && Number(anchors) !== 0) {
    if (Math.round(Number(anchors)) !== ANCHORS_PER_MAP) {
      throw new UnsupportedError(
        `hyperparameters: anchors is ${JSON.stringify(anchors)}; only ${ANCHORS_PER_MAP} for each map are supported`,
      );
    }
  }
  return filled(Object.entries(rest), [...BY_YAML_NAME.keys()], (name) => BY_YAML_NAME.get(name)!);
}

/** Hyperparameters under the names of a yaml, for files and reports. */
export const hyperparameterFile = (hyperparameters: DetectorHyperparameters): Record<string, number> =>
  Object.fromEntries(NAMES.map((name) => [yamlName(name), hyperparameters[name]]));

function filled(
  given: readonly (readonly [string, unknown])[],
  known: readonly string[],
  own: (name: string) => Name,
): DetectorHyperparameters {
  const values = Object.fromEntries(NAMES.map((name) => [name, FIELDS[name].usual])) as Record<Name, number>;
  for (const [name, value] of given) {
    if (value === undefined) continue;
    if (!known.includes(name)) throw new ArgumentError(unknownName(name, known));
    values[own(name)] = checked(name, value, FIELDS[own(name)]);
  }
  return values;
}

function unknownName(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return `hyperparameters: '${name}' is not known; ${meant === null ? `expected some of ${known.join(', ')}` : `did you mean '${meant}'?`}`;
}

function checked(name: string, value: unknown, { atLeast, atMost, above, below }: Field): number {
  const isIn =
    typeof value === 'number' &&
    Number.isFinite(value) &&
    (atLeast === undefined || value >= atLeast) &&
    (atMost === undefined || value <= atMost) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below);
  if (isIn) return value;
  const bounds = [
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(atMost === undefined ? [] : [`at most ${atMost}`]),
    ...(below === undefined ? [] : [`below ${below}`]),
  ];
  throw new ArgumentError(
    `hyperparameters: ${name} expects a number ${bounds.join(' and ')}, got ${typeof value === 'number' ? value : JSON.stringify(value)}`,
  );
}
