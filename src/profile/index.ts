/** Measuring networks: parameters, operations, zeros and sizes without running them; two models side by side. */
export {
  type CompareOptions,
  type Comparison,
  compareModels,
  type Difference,
  differenceOf,
  type ModelMeasure,
} from './compare.ts';
export { type InputShapes, type Model, type ModelProfileOptions, profile } from './model.ts';
export {
  type Convention,
  type LayerProfile,
  type Profile,
  type ProfileOptions,
  type ProfileTotals,
  type ProfileWithoutZeros,
  profileGraph,
  sparsityByGranularity,
} from './profile.ts';
export {
  type Cell,
  type CellKind,
  type ComparisonRow,
  comparisonRows,
  granularityTable,
  profileTable,
  type ReportColumn,
  type ReportTable,
  sparsityTable,
  toCsv,
} from './report.ts';
export { type Compressor, type Compressors, type FileSizes, fileSizes, webCompressors } from './sizes.ts';
export { type ParameterSparsity, type SparsityReport, sparsityReport } from './sparsity.ts';
export { countZeros, type GranularSparsity, granularSparsity, type ZeroUnits } from './zeros.ts';
