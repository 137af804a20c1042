/** Files of models and tensors, for Node. */
export {
  type ConvertedLabels,
  type ConvertedPart,
  type ConvertLabelsOptions,
  convertLabels,
} from './annotations/convert-labels.ts';
export type { DivideOptions } from './annotations/divide-parts.ts';
export type { AnnotationFormat } from './annotations/find-annotations.ts';
export type { ImageMode } from './annotations/write-yolo-data.ts';
export { fileCheckpoint } from './checkpoint-file.ts';
export { nodeCompressors } from './compress.ts';
export {
  type LoadCifar10Options,
  type LoadMnistOptions,
  loadCifar10,
  loadMnist,
} from './data-files.ts';
export { type Cifar10PngOptions, readCifar10Png } from './data-files-cifar-png.ts';
export { type LoadDatasetOptions, type LoadedDataset, loadDataset } from './data-files-detect.ts';
export { readImage } from './decode-rgb.ts';
export { type DiskCachedDataset, type DiskCacheOptions, diskCachedDataset } from './disk-cached-dataset.ts';
export {
  DRAWN_EXTENSIONS,
  type DrawDetectionsOptions,
  type DrawnImage,
  type DrawnImageOptions,
  detectionsSvg,
  drawDetections,
  drawnImage,
} from './draw-detections.ts';
export {
  type FileContent,
  readBytes,
  type WriteOptions,
  writeFileAtomic,
  writeFilesAtomic,
} from './file.ts';
export {
  type BrokenImage,
  IMAGE_EXTENSIONS,
  type ImageFile,
  type ImageFolder,
  type ImageFolderOptions,
  imageFolder,
  imagesIn,
} from './image-folder.ts';
export { readModel, type WriteModelOptions, writeModel } from './model.ts';
export * from './prune-detector/index.ts';
export { readHyperparameters } from './read-hyperparameters.ts';
export { STATE_FILE, StagedRun, type StagedRunOptions } from './staged-run.ts';
export {
  isPyTorchPath,
  PYTORCH_EXTENSIONS,
  readCheckpoint,
  readTensors,
  type WriteTensorsOptions,
  writeTensors,
} from './tensors.ts';
export {
  isWeightsPath,
  readTrainedModel,
  type TrainedModel,
  WEIGHTS_EXTENSIONS,
} from './trained-model.ts';
export {
  labelPath,
  readYoloData,
  type YoloData,
  type YoloDataset,
  type YoloDatasetOptions,
  type YoloImage,
  type YoloSplit,
  type YoloSummary,
  yoloDataset,
} from './yolo-data.ts';
export { parseYoloLabels } from './yolo-labels.ts';
