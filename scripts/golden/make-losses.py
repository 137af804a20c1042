"""Losses by PyTorch, for src/nn/functional/loss.test.ts.

    python3 make-losses.py > ../../src/nn/testdata/losses.json

Each case: the inputs (64ths, which float32 holds exactly), the options, and what torch.nn.functional gives in float64.
"""
import json
import sys

import torch
import torch.nn.functional as F

g = torch.Generator().manual_seed(7)
cases = []


def rand(*shape, scale=2.0):
    return (torch.randn(shape, generator=g).double() * scale).mul(64).round().div(64)


def labels(classes, *shape):
    return torch.randint(0, classes, shape, generator=g)


def tensor(t):
    kind = "int64" if t.dtype == torch.int64 else "float32"
    return dict(dtype=kind, shape=list(t.shape), data=t.flatten().tolist())


def case(name, args, options=None, tensors=None):
    """options: PyTorch's keyword arguments; those in tensors are given as tensors."""
    options, tensors = options or {}, tensors or {}
    value = getattr(F, name)(*args, **options, **tensors)
    cases.append(
        dict(
            name=name,
            args=[tensor(a) for a in args],
            options=options,
            tensors={k: tensor(v) for k, v in tensors.items()},
            shape=list(value.shape),
            data=value.flatten().tolist(),
        )
    )


def probabilities(*shape):
    return torch.softmax(rand(*shape), 1).mul(64).round().div(64)


weight = torch.rand(5, generator=g).double().mul(64).round().div(64) + 0.25
for reduction in ("mean", "sum", "none"):
    for smoothing in (0.0, 0.1):
        for tensors in ({}, dict(weight=weight)):
            more = dict(reduction=reduction, label_smoothing=smoothing)
            case("cross_entropy", [rand(4, 5), labels(5, 4)], more, tensors)
            case("cross_entropy", [rand(2, 5, 3), labels(5, 2, 3)], more, tensors)
            case("cross_entropy", [rand(4, 5), probabilities(4, 5)], more, tensors)
            case("cross_entropy", [rand(2, 5, 3), probabilities(2, 5, 3)], more, tensors)
            for ignored in (-100, 1):
                target = torch.tensor([1, ignored, 3, 4])
                case("cross_entropy", [rand(4, 5), target], dict(more, ignore_index=ignored), tensors)
    for tensors in ({}, dict(weight=weight)):
        scores = torch.log_softmax(rand(4, 5), 1).mul(64).round().div(64)
        case("nll_loss", [scores, torch.tensor([0, 2, -100, 4])], dict(reduction=reduction), tensors)
        case("nll_loss", [scores, torch.tensor([0, 2, 3, 4])], dict(reduction=reduction, ignore_index=2), tensors)
    target = torch.rand(3, 4, generator=g).double().mul(64).round().div(64)
    per = torch.rand(3, 4, generator=g).double().mul(64).round().div(64)
    positive = torch.rand(4, generator=g).double().mul(64).round().div(64) * 3
    for tensors in ({}, dict(weight=per), dict(pos_weight=positive), dict(weight=per, pos_weight=positive)):
        case("binary_cross_entropy_with_logits", [rand(3, 4, scale=8.0), target], dict(reduction=reduction), tensors)
    a, b = rand(3, 4), rand(3, 4)
    case("mse_loss", [a, b], dict(reduction=reduction))
    case("l1_loss", [a, b], dict(reduction=reduction))
    for beta in (1.0, 0.5, 2.0, 0.0):
        case("smooth_l1_loss", [a, b], dict(reduction=reduction, beta=beta))
    for delta in (1.0, 0.5, 2.0):
        case("huber_loss", [a, b], dict(reduction=reduction, delta=delta))
for reduction in ("mean", "sum", "none", "batchmean"):
    scores = torch.log_softmax(rand(3, 4), 1).mul(64).round().div(64)
    target = probabilities(3, 4)
    target[0, 1] = 0
    case("kl_div", [scores, target], dict(reduction=reduction))
    case("kl_div", [scores, torch.log_softmax(rand(3, 4), 1).mul(64).round().div(64)], dict(reduction=reduction, log_target=True))

json.dump(dict(torch=torch.__version__, cases=cases), sys.stdout)
print()
