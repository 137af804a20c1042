import { F, type Variable } from '../../nn/index.ts';

/** Keeps quotients finite. Source: YOLOv5's `bbox_iou`. */
const EPSILON = 1e-7;

/** Boxes by centre `[n, 2]`, and width and height `[n, 2]`. */
export interface BoxVariables {
  readonly centre: Variable;
  readonly size: Variable;
}

const larger = (a: Variable, b: Variable): Variable => a.tracer.op('Max', [a, b]);
const smaller = (a: Variable, b: Variable): Variable => a.tracer.op('Min', [a, b]);

/** First and second column, `[n, 1]` each. */
const columns = (pairs: Variable): [Variable, Variable] => pairs.split(1, 1) as [Variable, Variable];

/** Product of the two columns, `[n, 1]`. */
function area(pairs: Variable): Variable {
  const [width, height] = columns(pairs);
  return width.mul(height);
}

const squaredLength = (pairs: Variable): Variable => pairs.mul(pairs).sum(1, { keepdim: true });

/** Angle of the diagonal, whose tangent is width over height. */
function shapeAngle(size: Variable): Variable {
  const [width, height] = columns(size);
  return size.tracer.op('Atan', [width.div(height)]);
}

/**
 * Complete intersection over union of boxes row by row, `[n, 1]`, at most 1: `IoU - d² / c² - α v`, where d is the distance of the centres, c the diagonal of the enclosing box and v how much the shapes
 * differ; no gradient flows through α. Sizes are above 0. `boxIou` with 'ciou' is the same of two boxes.
 *
 * Source: Zheng et al. 2020; `bbox_iou(..., CIoU=True)` of YOLOv5 v7.0.
 */
export function completeIou(predicted: BoxVariables, target: BoxVariables): Variable {
  const [halfPredicted, halfTarget] = [predicted.size.mul(0.5), target.size.mul(0.5)];
  const [lowPredicted, highPredicted] = [
    predicted.centre.sub(halfPredicted),
    predicted.centre.add(halfPredicted),
  ];
  const [lowTarget, highTarget] = [target.centre.sub(halfTarget), target.centre.add(halfTarget)];
  const shared = area(smaller(highPredicted, highTarget).sub(larger(lowPredicted, lowTarget)).clamp(0));
  const union = area(predicted.size).add(area(target.size)).sub(shared).add(EPSILON);
  const iou = shared.div(union);
  const enclosing = larger(highPredicted, highTarget).sub(smaller(lowPredicted, lowTarget));
  const diagonal = squaredLength(enclosing).add(EPSILON);
  const distance = squaredLength(target.centre.sub(predicted.centre));
  const turn = shapeAngle(target.size).sub(shapeAngle(predicted.size));
  // v = (4 / π²) (atan(w' / h') - atan(w / h))²
  const difference = turn.mul(turn).mul(4 / Math.PI ** 2);
  // α = v / (1 - IoU + v)
  const alpha = F.detach(difference.div(difference.sub(iou).add(1 + EPSILON)));
  return iou.sub(distance.div(diagonal).add(difference.mul(alpha)));
}
