/** Measuring networks without running them: parameters, operations, zeros, sizes. */
export {
  type Convention,
  type LayerProfile,
  type Profile,
  type ProfileOptions,
  type ProfileTotals,
  profileGraph,
  sparsityByGranularity,
} from './profile.ts';
export { countZeros, type GranularSparsity, granularSparsity, type ZeroUnits } from './zeros.ts';
