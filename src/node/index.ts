/** Files of models and tensors, for Node. */
export { nodeCompressors } from './compress.ts';
export {
  type FileContent,
  readBytes,
  type WriteOptions,
  writeFileAtomic,
  writeFilesAtomic,
} from './file.ts';
export { readModel, type WriteModelOptions, writeModel } from './model.ts';
export { readTensors, type WriteTensorsOptions, writeTensors } from './tensors.ts';
