"""Makes schedule.json: learning rates, momenta and updates of YOLOv5 7.0's training loop, and how well anchors fit random boxes.

    python generate-schedule.py --yolov5 DIR > schedule.json

DIR is a checkout of ultralytics/yolov5 at v7.0. The loop of train.py cannot be called by itself: its lines about the schedule stand here as they stand there, in the same order; the optimizer's groups are those of
its `smart_optimizer`, `one_cycle` and the metric of `check_anchors` are cut out of its files.
"""
import argparse
import ast
import json
import math

import numpy as np
import torch
import torch.nn as nn
from torch.optim import lr_scheduler

parser = argparse.ArgumentParser()
parser.add_argument("--yolov5", required=True, help="checkout of ultralytics/yolov5 at v7.0")
ROOT = parser.parse_args().yolov5


class Quiet:
    def info(self, *_):
        pass


space = {"torch": torch, "nn": nn, "math": math, "LOGGER": Quiet(), "colorstr": lambda *text: text[-1]}
for path, name in (("utils/torch_utils.py", "smart_optimizer"), ("utils/general.py", "one_cycle")):
    for node in ast.parse(open(f"{ROOT}/{path}", encoding="utf8").read()).body:
        if getattr(node, "name", None) == name:
            exec(compile(ast.Module([node], []), path, "exec"), space)
for node in ast.parse(open(f"{ROOT}/utils/autoanchor.py", encoding="utf8").read()).body:
    if getattr(node, "name", None) == "check_anchors":
        metric = next(inner for inner in node.body if getattr(inner, "name", None) == "metric")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, bias=False)
        self.bn = nn.BatchNorm2d(2)
        self.head = nn.Conv2d(2, 3, 1)


HYP = {"lr0": 0.01, "lrf": 0.01, "momentum": 0.937, "weight_decay": 0.0005, "warmup_epochs": 3.0, "warmup_momentum": 0.8, "warmup_bias_lr": 0.1}


def run(name, optimizer, batch_size, nb, epochs, cos_lr=False, **changes):
    given = {**HYP, **changes}
    hyp = dict(given)
    nbs = 64
    accumulate = max(round(nbs / batch_size), 1)
    hyp["weight_decay"] *= batch_size * accumulate / nbs
    torch.manual_seed(0)
    optimizer = space["smart_optimizer"](Net(), optimizer, hyp["lr0"], hyp["momentum"], hyp["weight_decay"])
    decays = [group["weight_decay"] for group in optimizer.param_groups]
    lf = space["one_cycle"](1, hyp["lrf"], epochs) if cos_lr else lambda x: (1 - x / epochs) * (1.0 - hyp["lrf"]) + hyp["lrf"]
    scheduler = lr_scheduler.LambdaLR(optimizer, lr_lambda=lf)
    nw = max(round(hyp["warmup_epochs"] * nb), 100)
    last_opt_step, rows, updates = -1, [], []
    scheduler.last_epoch = -1
    for epoch in range(epochs):
        for i in range(nb):
            ni = i + nb * epoch
            if ni <= nw:
                xi = [0, nw]
                accumulate = max(1, np.interp(ni, xi, [1, nbs / batch_size]).round())
                for j, x in enumerate(optimizer.param_groups):
                    x["lr"] = np.interp(ni, xi, [hyp["warmup_bias_lr"] if j == 0 else 0.0, x["initial_lr"] * lf(epoch)])
                    if "momentum" in x:
                        x["momentum"] = np.interp(ni, xi, [hyp["warmup_momentum"], hyp["momentum"]])
            groups = optimizer.param_groups
            # Biases first, weights, scales of normalizations.
            rows.append([float(g["lr"]) for g in groups] + [float(g.get("momentum", g["betas"][0] if "betas" in g else -1)) for g in groups[:1]])
            if ni - last_opt_step >= accumulate:
                updates.append(ni)
                last_opt_step = ni
        scheduler.step()
    keep = sorted({*range(0, len(rows), 7), nw - 1, nw, nw + 1, nb - 1, nb, len(rows) - 1} & set(range(len(rows))))
    return {"name": name, "hyp": given, "batchSize": batch_size, "batches": nb, "epochs": epochs, "cosine": cos_lr, "decays": decays, "updates": updates, "rows": [[n, *rows[n]] for n in keep]}


def fit(seed, count, scale, anchors, thr):
    torch.manual_seed(seed)
    wh = torch.rand(count, 2) * scale + 2
    local = {"wh": wh, "thr": thr, "torch": torch}
    exec(compile(ast.Module([metric], []), "autoanchor", "exec"), local)
    bpr, aat = local["metric"](torch.tensor(anchors).float().view(-1, 2))
    return {"seed": seed, "count": count, "scale": scale, "anchors": anchors, "threshold": thr, "bpr": bpr.item(), "aat": aat.item()}


COCO = [10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326]
print(
    json.dumps(
        {
            "runs": [
                run("small data", "SGD", 16, 13, 12),
                run("long warm-up", "SGD", 8, 40, 5),
                run("cosine", "SGD", 16, 30, 8, cos_lr=True, lrf=0.1),
                run("large batches, little warm-up", "SGD", 128, 60, 4, warmup_epochs=0.5, warmup_momentum=0.5),
                run("Adam", "Adam", 24, 25, 6, lr0=0.001),
            ],
            "fits": [fit(1, 50, 300, COCO, 4.0), fit(2, 40, 30, COCO, 4.0), fit(3, 60, 600, COCO, 2.5), fit(4, 20, 100, COCO[:6], 3.0)],
        }
    )
)
