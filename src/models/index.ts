/** Networks written with `secateur/nn`, by name and as classes. */
export { DecodedDetector, type DecodedDetectorOptions, decodedDetector } from './decoded-detector.ts';
export { LeNet5, type LeNet5Options } from './lenet5.ts';
export { MobileNetV2, type MobileNetV2Options } from './mobilenet-v2.ts';
export {
  type ModelFromTensors,
  modelFromTensors,
  type RecognizedModel,
  recognizeModel,
} from './recognize.ts';
export { type CreateModelOptions, createModel, exampleInput, modelNames } from './registry.ts';
export { ResNet, type ResNetDepth, type ResNetOptions, resnet, type ShortcutOption } from './resnet.ts';
export { Yolov5, type Yolov5Options, type Yolov5Size, type Yolov5Version, yolov5 } from './yolov5.ts';
export { type Anchors, COCO_ANCHORS, checkAnchors, YOLOV5_STRIDES } from './yolov5-anchors.ts';
export { Detect as Yolov5Detect } from './yolov5-detect.ts';
