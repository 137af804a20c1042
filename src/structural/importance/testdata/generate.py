"""Scores of a small residual network by PyTorch and Torch-Pruning: writes scores.json beside this file.

    python generate.py        made with torch 2.13.0 and Torch-Pruning 1.6.1 (its folder in PYTHONPATH)

Magnitudes, LAMP and batch norm scales are Torch-Pruning's own. Taylor and Hessian scores are written out with autograd, FPGM with cdist of the filters as in its paper.
"""
import json
from pathlib import Path

import torch
import torch.nn.functional as F
import torch_pruning as tp
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(6)
        self.conv3 = nn.Conv2d(6, 5, 3, stride=2, padding=1)
        self.fc = nn.Linear(20, 4)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(x + self.bn2(self.conv2(x)))
        return self.fc(torch.flatten(F.relu(self.conv3(x)), 1))


torch.manual_seed(0)
net = Net()
for bn in (net.bn1, net.bn2):
    nn.init.uniform_(bn.weight, 0.3, 1.5)
    nn.init.normal_(bn.bias)
    bn.running_mean.normal_()
    bn.running_var.uniform_(0.5, 2)
net.eval()
inputs = torch.randn(3, 3, 4, 4)
targets = torch.tensor([2, 0, 3])

graph = tp.DependencyGraph().build_dependency(net, example_inputs=inputs)
roots = {"conv1": net.conv1, "conv3": net.conv3}


def group_of(root):
    return graph.get_pruning_group(root, tp.prune_conv_out_channels, idxs=list(range(root.out_channels)))


# What each member of a group has its weight on: (parameter, axis).
members = {
    "conv1": [("conv1.weight", 0), ("bn1.weight", 0), ("conv2.weight", 0), ("conv2.weight", 1), ("bn2.weight", 0), ("conv3.weight", 1)],
    "conv3": [("conv3.weight", 0), ("fc.weight", 1)],
}
params = dict(net.named_parameters())


def by_axis(tensor, axis, reduce):
    rows = tensor.transpose(0, axis).flatten(1) if tensor.dim() > 1 else tensor[:, None]
    return reduce(rows)


def aggregated(of, units):
    total = torch.zeros(units)
    for scores in of:
        total += scores.reshape(units, -1).sum(1)
    total /= len(of)
    return total


def gradients(x, y):
    return dict(zip(params, torch.autograd.grad(F.cross_entropy(net(x), y), list(params.values()))))


batches = [(inputs[:2], targets[:2]), (inputs[2:], targets[2:])]
scores = {}
for name, root in roots.items():
    own = scores[name] = {}
    units = root.out_channels
    for p in (1, 2):
        for reduction in ("sum", "mean", "max", "first"):
            for normalizer in ("mean", "max", "sum", None):
                scorer = tp.importance.GroupMagnitudeImportance(p=p, group_reduction=reduction, normalizer=normalizer)
                own[f"l{p} {reduction} {normalizer or 'none'}"] = scorer(group_of(root)).tolist()
    own["lamp"] = tp.importance.LAMPImportance()(group_of(root)).tolist()
    if name == "conv1":
        own["batch-norm"] = tp.importance.BNScaleImportance()(group_of(root)).tolist()
    distances = [torch.cdist(w, w).sum(1) for w in (params[n].detach().flatten(1) for n, axis in members[name] if axis == 0 and "conv" in n)]
    own["fpgm none"] = aggregated(distances, units).tolist()
    taylor, multi, hessian = 0, 0, 0
    for x, y in batches:
        grads = gradients(x, y)
        product = {n: params[n].detach() * grads[n] for n in params}
        share = len(x) / len(inputs)
        taylor = taylor + share * aggregated([by_axis(product[n], a, lambda r: r.abs().sum(1)) for n, a in members[name]], units)
        multi = multi + share * aggregated([by_axis(product[n], a, lambda r: r.sum(1).abs()) for n, a in members[name]], units)
    for x, y in zip(inputs, targets):
        grads = gradients(x[None], y[None])
        terms = {n: 0.5 * params[n].detach() ** 2 * grads[n] ** 2 for n in params}
        hessian = hessian + aggregated([by_axis(terms[n], a, lambda r: r.sum(1)) for n, a in members[name]], units) / len(inputs)
    own["taylor none"], own["taylor-multi none"], own["hessian none"] = taylor.tolist(), multi.tolist(), hessian.tolist()

state = {n: {"shape": list(t.shape), "data": t.flatten().tolist()} for n, t in net.state_dict().items() if t.is_floating_point()}
result = {
    "state": state,
    "inputs": {"shape": list(inputs.shape), "data": inputs.flatten().tolist()},
    "targets": targets.tolist(),
    "scores": scores,
}


def short(value):
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, list):
        return [short(each) for each in value]
    return {key: short(each) for key, each in value.items()} if isinstance(value, dict) else value


text = json.dumps(short(result), separators=(",", ":"))
Path(__file__).with_name("scores.json").write_text(text + "\n")
