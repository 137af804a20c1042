"""Makes reference.json: what YOLOv5 7.0, OpenCV and pycocotools give for random boxes and images.

    python generate.py <checkout of ultralytics/yolov5 at v7.0> > reference.json

Functions are cut out of the checkout's files, so that none of its other requirements is needed. torchvision's nms is written out below.
Needs torch, opencv-python-headless, pycocotools.
"""
import ast
import contextlib
import io
import json
import math
import sys
import types
import warnings

import cv2
import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

ROOT = sys.argv[1]


def nms(boxes, scores, threshold):
    left = scores.argsort(descending=True, stable=True).tolist()
    kept = []
    while left:
        first, *left = left
        kept.append(first)
        ious = []
        for other in left:
            corner = torch.maximum(boxes[first, :2], boxes[other, :2]), torch.minimum(boxes[first, 2:], boxes[other, 2:])
            shared = (corner[1] - corner[0]).clamp(0).prod()
            areas = [(boxes[i, 2:] - boxes[i, :2]).prod() for i in (first, other)]
            ious.append(shared / (areas[0] + areas[1] - shared))
        # The threshold is a double in C++.
        left = [other for other, iou in zip(left, ious) if not float(iou) > threshold]
    return torch.tensor(kept)


torchvision = types.SimpleNamespace(ops=types.SimpleNamespace(nms=nms))


def take(path, *names):
    """The functions and classes of these names of a file, run in a namespace of their own, whose clock stands: suppression gives up after a time."""
    source = open(f"{ROOT}/{path}", encoding="utf8").read()
    space = {"np": np, "torch": torch, "torchvision": torchvision, "math": math, "time": types.SimpleNamespace(time=lambda: 0), "cv2": cv2, "warnings": warnings,
             "TryExcept": lambda *_: (lambda f: f), "LOGGER": None, "Path": str}
    space.update({name: value for name, value in globals().items() if name in ("box_iou", "xywh2xyxy", "compute_ap", "smooth")})
    for node in ast.parse(source).body:
        if getattr(node, "name", None) in names:
            exec(compile(ast.Module([node], []), path, "exec"), space)
    return [space[name] for name in names]


np.trapz = getattr(np, "trapz", None) or np.trapezoid
box_iou, bbox_iou, smooth, compute_ap = take("utils/metrics.py", "box_iou", "bbox_iou", "smooth", "compute_ap")
ap_per_class, ConfusionMatrix = take("utils/metrics.py", "ap_per_class", "ConfusionMatrix")
xywh2xyxy, clip_boxes = take("utils/general.py", "xywh2xyxy", "clip_boxes")
(non_max_suppression,) = take("utils/general.py", "non_max_suppression")
(letterbox,) = take("utils/augmentations.py", "letterbox")
(process_batch,) = take("val.py", "process_batch")

rng = np.random.default_rng(5)


def rounded(values, digits=6):
    return json.loads(json.dumps(np.asarray(values, dtype=np.float64).round(digits).tolist()))


def random_boxes(count, size=200):
    corner = rng.uniform(0, size * 0.7, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(8, size * 0.5, (count, 2))], 1).clip(0, size).round(2)


def overlaps():
    a, b = random_boxes(12), random_boxes(12)
    cases = []
    for one, other in zip(a.tolist(), b.tolist()):
        pair = [torch.tensor([box], dtype=torch.float64) for box in (one, other)]
        kinds = {"iou": {}, "giou": {"GIoU": True}, "diou": {"DIoU": True}, "ciou": {"CIoU": True}}
        cases.append({"a": one, "b": other, **{kind: float(bbox_iou(*pair, xywh=False, **options)) for kind, options in kinds.items()}})
    return cases


def suppressions():
    cases = []
    for classes in (1, 4):
        centres = np.repeat(rng.uniform(20, 180, (6, 2)), 8, 0) + rng.normal(0, 6, (48, 2))
        sizes = rng.uniform(20, 70, (48, 2))
        scores = rng.uniform(0, 1, (48, 1 + classes))
        prediction = np.concatenate([centres, sizes, scores], 1).round(4)
        for options in ({}, {"agnostic": True}, {"multi_label": True, "conf_thres": 0.1, "iou_thres": 0.6}, {"max_det": 4},
                        {"classes": [0]}, {"multi_label": True, "conf_thres": 0.001, "iou_thres": 0.3, "classes": [0, classes - 1]}):
            (found,) = non_max_suppression(torch.tensor(prediction, dtype=torch.float32)[None], **options)
            cases.append({"prediction": prediction.tolist(), "options": options, "found": rounded(found, 4)})
    return cases


def judged():
    """Images with labels and detections, some of them the labels moved a little."""
    images = []
    for index in range(14):
        count = int(rng.integers(0, 7)) if index != 3 else 0
        boxes, labels = random_boxes(count), rng.integers(0, 3, count)
        near = np.repeat(boxes, 2, 0) + rng.normal(0, 5, (2 * count, 4))
        # pycocotools passes over boxes whose corners are the wrong way round.
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        labels_near = np.where(rng.uniform(size=2 * count) < 0.8, np.repeat(labels, 2), rng.integers(0, 4, 2 * count))
        others = random_boxes(int(rng.integers(0, 4)) if index != 5 else 0)
        found = np.concatenate([near, others]).round(2)
        found_labels = np.concatenate([labels_near, rng.integers(0, 4, len(others))])
        if index == 7:
            found, found_labels = found[:0], found_labels[:0]
        confidences = rng.uniform(0.01, 1, len(found)).round(4)
        order = np.argsort(-confidences)
        images.append({
            "labels": [{"label": int(c), "box": b} for b, c in zip(boxes.tolist(), labels)],
            "detections": [{"label": int(found_labels[i]), "confidence": float(confidences[i]), "box": found[i].tolist()} for i in order],
        })
    return images


def as_val(images, classes):
    thresholds = torch.linspace(0.5, 0.95, 10)
    confusion = ConfusionMatrix(nc=classes)
    stats = []
    for image in images:
        found = torch.tensor([[*d["box"], d["confidence"], d["label"]] for d in image["detections"]], dtype=torch.float32).reshape(-1, 6)
        labels = torch.tensor([[d["label"], *d["box"]] for d in image["labels"]], dtype=torch.float32).reshape(-1, 5)
        correct = torch.zeros(len(found), 10, dtype=torch.bool)
        if len(found) == 0:
            if len(labels):
                stats.append((correct, *torch.zeros((2, 0)), labels[:, 0]))
                confusion.process_batch(None, labels[:, 0])
            continue
        if len(labels):
            correct = process_batch(found, labels, thresholds)
            confusion.process_batch(found, labels)
        stats.append((correct, found[:, 4], found[:, 5], labels[:, 0]))
    stats = [torch.cat(part, 0).numpy() for part in zip(*stats)]
    _, _, p, r, f1, ap, present = ap_per_class(*stats, names=dict(enumerate("abcd")))
    return {"classes": present.tolist(), "precision": rounded(p), "recall": rounded(r), "f1": rounded(f1), "ap": rounded(ap),
            "confusion": confusion.matrix.astype(int).tolist()}


def as_coco(images, classes):
    truth = {"images": [{"id": i} for i in range(len(images))], "categories": [{"id": c + 1} for c in range(classes)], "annotations": []}
    found = []

    def box(d):
        x1, y1, x2, y2 = d["box"]
        return [x1, y1, x2 - x1, y2 - y1]

    for index, image in enumerate(images):
        for d in image["labels"]:
            x, y, w, h = box(d)
            truth["annotations"].append({"id": len(truth["annotations"]) + 1, "image_id": index, "category_id": d["label"] + 1,
                                         "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0})
        found += [{"image_id": index, "category_id": d["label"] + 1, "bbox": box(d), "score": d["confidence"]} for d in image["detections"]]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(found), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return {"map": float(judge.stats[0]), "map50": float(judge.stats[1])}


def letterboxes():
    cases = []
    for height, width, options in (
        (48, 64, {"new_shape": 64}), (48, 64, {"new_shape": 64, "auto": False}), (33, 50, {"new_shape": 64, "auto": False}),
        (50, 33, {"new_shape": [64, 96]}), (20, 10, {"new_shape": 64, "auto": False, "scaleup": False}),
        (37, 91, {"new_shape": [64, 80], "auto": False, "scaleFill": True}), (51, 77, {"new_shape": 40, "auto": False, "stride": 8}),
        (128, 96, {"new_shape": 64, "auto": True, "stride": 16}), (31, 45, {"new_shape": [45, 46], "auto": False}),
    ):
        image = np.fromfunction(lambda y, x, c: (x * 7 + y * 13 + c * 50 + x * y) % 256, (height, width, 3)).astype(np.uint8)
        given = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        out, ratio, pad = letterbox(image, **given)
        cases.append({"height": height, "width": width, "options": options, "shape": list(out.shape), "ratio": list(map(float, ratio)), "pad": list(map(float, pad)),
                      "sum": int(out.astype(np.int64).sum()), "row": out[out.shape[0] // 2, :, 1].tolist()})
    return cases


images = judged()
json.dump({
    "versions": {"torch": torch.__version__, "opencv": cv2.__version__, "numpy": np.__version__, "yolov5": "7.0", "seed": 5},
    "overlaps": overlaps(), "suppressions": suppressions(), "letterboxes": letterboxes(),
    "images": images, "val": as_val(images, 4), "coco": as_coco(images, 4),
}, sys.stdout, separators=(",", ":"))
