"""Makes loss.json: what the loss of YOLOv5 7.0 gives for random maps and labels, and its gradients.

    python generate-loss.py --yolov5 DIR > loss.json

DIR is a checkout of ultralytics/yolov5 at v7.0. Classes and functions are cut out of its files, so that torch is all that is needed. Maps are not stored: they are
torch.rand(...) * scale - scale / 2 from the seed of the case, which secateur's generator draws to the bit. Of gradients only what is not zero is stored, by flat index.
"""
import argparse
import ast
import json
import math
import types

import torch
import torch.nn as nn

parser = argparse.ArgumentParser()
parser.add_argument("--yolov5", required=True, help="checkout of ultralytics/yolov5 at v7.0")
ROOT = parser.parse_args().yolov5

space = {"torch": torch, "nn": nn, "math": math, "de_parallel": lambda model: model}
for path, names in (("utils/metrics.py", ["bbox_iou"]), ("utils/loss.py", ["smooth_BCE", "FocalLoss", "ComputeLoss"])):
    for node in ast.parse(open(f"{ROOT}/{path}", encoding="utf8").read()).body:
        if getattr(node, "name", None) in names:
            exec(compile(ast.Module([node], []), path, "exec"), space)

COCO = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]
STRIDES = [8, 16, 32]
HYP = {"box": 0.05, "cls": 0.5, "cls_pw": 1.0, "obj": 1.0, "obj_pw": 1.0, "anchor_t": 4.0, "fl_gamma": 0.0, "label_smoothing": 0.0}


def scaled(hyp, maps, classes, size):
    """The gains as train.py scales them."""
    hyp = dict(hyp)
    hyp["box"] *= 3 / maps
    hyp["cls"] *= classes / 80 * 3 / maps
    hyp["obj"] *= (size / 640) ** 2 * 3 / maps
    return hyp


def case(name, classes, size, labels, images=2, anchors=COCO, strides=STRIDES, image_size=64, seed=1, scale=6.0, **changes):
    hyp = {**HYP, **changes}
    maps = len(anchors)
    # As in a model: anchors in cells, float32.
    cells = torch.tensor(anchors).float().view(maps, -1, 2) / torch.tensor(strides).float().view(-1, 1, 1)
    head = types.SimpleNamespace(nl=maps, na=cells.shape[1], nc=classes, anchors=cells, stride=torch.tensor(strides))
    model = nn.Linear(1, 1)
    model.hyp, model.model = scaled(hyp, maps, classes, image_size), [head]
    torch.manual_seed(seed)
    p = []
    for stride in strides:
        shape = (images, head.na, size[0] // stride, size[1] // stride, 5 + classes)
        p.append((torch.rand(shape) * scale - scale / 2).requires_grad_())
    rows = [[image, *label] for image, of_image in enumerate(labels) for label in of_image]
    targets = torch.tensor(rows, dtype=torch.float32).view(-1, 6)
    compute = space["ComputeLoss"](model)
    loss, parts = compute(p, targets)
    loss.sum().backward()
    gradients = []
    for one in p:
        flat = one.grad.flatten()
        index = flat.nonzero().flatten()
        gradients.append({"index": index.tolist(), "value": [float(f"{value:.6g}") for value in flat[index].tolist()]})
    tcls, tbox, indices, anch = compute.build_targets(p, targets)
    matches = [
        [[*(int(number[row]) for number in where), int(tcls[i][row]), *(float(f"{value:.7g}") for value in tbox[i][row].tolist())] for row in range(len(tcls[i]))]
        for i, where in enumerate(indices)
    ]
    return {
        "name": name, "classes": classes, "size": size, "images": images, "anchors": anchors, "strides": strides, "imageSize": image_size,
        "seed": seed, "scale": scale, "hyperparameters": {key: value for key, value in changes.items() if HYP[key] != value},
        "labels": labels, "loss": loss.item(), "box": parts[0].item(), "obj": parts[1].item(), "cls": parts[2].item(),
        "gradients": gradients, "matches": matches,
    }


def label(classes):
    """A random box inside the image, written with as many digits as label files have."""
    def number(low, high):
        return round(low + (high - low) * torch.rand(()).item(), 6)
    width, height = number(0.05, 0.9), number(0.05, 0.9)
    return [int(torch.randint(classes, ())), number(width / 2, 1 - width / 2), number(height / 2, 1 - height / 2), width, height]


torch.manual_seed(0)
FEW = [[label(3) for _ in range(3)], [label(3) for _ in range(2)]]
MANY = [[label(3) for _ in range(12)], [], [label(3) for _ in range(7)]]
EIGHTY = [[label(80) for _ in range(3)]]
# Two boxes in a cell, and one a second time under another class.
SAME = [[[0, 0.3, 0.3, 0.2, 0.25], [1, 0.3001, 0.3002, 0.3, 0.2], [2, 0.3, 0.3, 0.2, 0.25], [1, 0.42, 0.31, 0.2, 0.25]], [[1, 0.7, 0.2, 0.5, 0.6], [0, 0.7, 0.2, 0.5, 0.6]]]
# Centres on edges of the image and of cells, a box of the whole image, one of no size, one too thin for every anchor.
EDGES = [
    [[0, 0, 0, 0.2, 0.2], [1, 1, 1, 0.3, 0.3], [2, 0.5, 0.5, 1, 1], [0, 0.125, 0.25, 0.25, 0.25], [1, 0.5, 1, 0.4, 0.1]],
    [[2, 0.4, 0.4, 0, 0], [0, 0.6, 0.6, 0.002, 0.9], [1, 0.0625, 0.9375, 0.125, 0.125], [1, 0.03, 0.5, 0.05, 0.3]],
]
ONE = [[[0, *box[1:]] for box in of_image] for of_image in FEW]
OTHER = [[6, 40, 24, 9, 20, 20], [33, 48, 60, 31, 50, 50]]
print(json.dumps([
    case("few", 3, [64, 64], FEW),
    case("wide image", 3, [64, 96], FEW, image_size=96, seed=2),
    case("80 classes", 80, [64, 64], EIGHTY, images=1, seed=3),
    case("one class", 1, [96, 64], ONE, image_size=96, seed=4),
    case("many", 3, [64, 64], MANY, images=3, seed=5),
    case("nothing", 3, [64, 64], [[], []], seed=6),
    case("same cell", 3, [64, 64], SAME, seed=7),
    case("edges", 3, [64, 64], EDGES, seed=8),
    case("label smoothing", 3, [64, 64], FEW, seed=9, label_smoothing=0.1),
    case("weights of positives", 3, [64, 64], FEW, seed=10, cls_pw=0.7, obj_pw=1.6),
    case("focal", 3, [64, 64], FEW, seed=11, fl_gamma=1.5, cls_pw=1.3, obj_pw=0.8),
    case("other gains", 3, [64, 64], FEW, seed=12, box=0.1, cls=0.3, obj=0.7, anchor_t=2.5),
    case("two maps", 3, [64, 64], FEW, anchors=OTHER, strides=[16, 32], seed=13),
    case("large logits", 3, [64, 64], FEW, scale=24.0, seed=14),
], separators=(",", ":")))
