import { ArgumentError } from '../../core/errors.ts';

/** How the importance of channels is told. */
export type ImportanceMethod =
  | 'l1'
  | 'l2'
  | 'batch-norm'
  | 'fpgm'
  | 'taylor'
  | 'taylor-multi'
  | 'hessian'
  | 'lamp'
  | 'activation-mean'
  | 'apoz'
  | 'wanda'
  | 'random';

/** What is known of a method. */
export interface ImportanceMethodInfo {
  readonly name: ImportanceMethod;
  /** One sentence. */
  readonly description: string;
  /** Nothing, batches of inputs, or batches of inputs and targets. */
  readonly needs: 'nothing' | 'inputs' | 'targets';
}

const info = (
  name: ImportanceMethod,
  description: string,
  needs: ImportanceMethodInfo['needs'] = 'nothing',
): ImportanceMethodInfo => ({ name, description, needs });

/** All methods, in the order they are listed to users. */
export const IMPORTANCE_METHODS: readonly ImportanceMethodInfo[] = [
  info('l1', 'Sum of the magnitudes of the weights (Li et al. 2017).'),
  info('l2', 'Sum of the squares of the weights.'),
  info('lamp', 'Squares of the weights as a share of those that are at least as large (Lee et al. 2021).'),
  info('batch-norm', 'Magnitude of the scale of batch norm (network slimming, Liu et al. 2017).'),
  info('fpgm', 'Sum of the distances to the other filters of the layer (FPGM, He et al. 2019).'),
  info(
    'taylor',
    'Sum of |weight times gradient|, weight by weight (Molchanov et al. 2019, first order).',
    'targets',
  ),
  info(
    'taylor-multi',
    'Magnitude of the sum of weight times gradient over a channel (Molchanov et al. 2019, multi-variable).',
    'targets',
  ),
  info(
    'hessian',
    'Half the square of the weight times its second derivative (LeCun et al. 1990), by the empirical Fisher information.',
    'targets',
  ),
  info('activation-mean', 'Mean magnitude of what the channel gives (Molchanov et al. 2017).', 'inputs'),
  info('apoz', 'Share of what the channel gives that is not zero (1 - APoZ, Hu et al. 2016).', 'inputs'),
  info(
    'wanda',
    'Magnitude of the weights that read the channel times the norm of what they read (after Sun et al. 2024).',
    'inputs',
  ),
  info('random', 'Random numbers from a seed: what others are to be compared with.'),
];

/** What is known of a method. Throws ArgumentError, which lists the methods, where there is none of that name. */
export function importanceMethod(name: string): ImportanceMethodInfo {
  const found = IMPORTANCE_METHODS.find((method) => method.name === name);
  if (found) return found;
  throw new ArgumentError(
    `importance: method '${name}' is not known; expected ${IMPORTANCE_METHODS.map((method) => method.name).join(', ')}`,
  );
}
