"""Writes numbers.json: what PyTorch 2.13 gives for resizes, normalization, splits and the order of an epoch.

    python generate.py

Images are (7 * i) % 11 / 10 for element i, so that the test makes them anew. torchvision is not needed: its crops and flips are the draws
of `torch.randint` and `torch.rand` written out here, as its transforms have them.
"""
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.data import DistributedSampler, TensorDataset, random_split


def image(*shape):
    count = torch.Size(shape).numel()
    return (torch.tensor([(7 * i) % 11 for i in range(count)], dtype=torch.float32) / 10).reshape(shape)


def listed(tensor):
    return [float(x) for x in tensor.flatten()]


resizes = []
for mode, antialias, sizes in [
    ("nearest", False, [((5, 7), (3, 4)), ((3, 4), (7, 9)), ((10, 10), (3, 7)), ((1, 1), (2, 3))]),
    ("bilinear", False, [((5, 7), (3, 4)), ((3, 4), (7, 9)), ((6, 6), (6, 3)), ((1, 5), (4, 2)), ((9, 2), (1, 1))]),
    ("bilinear", True, [((5, 7), (3, 4)), ((3, 4), (7, 9)), ((12, 9), (2, 9)), ((1, 5), (4, 2)), ((9, 2), (1, 1))]),
]:
    for source, size in sizes:
        options = {"mode": mode} if mode == "nearest" else {"mode": mode, "align_corners": False, "antialias": antialias}
        out = F.interpolate(image(1, 2, *source), size=size, **options)
        resizes.append({"mode": mode, "antialias": antialias, "from": source, "to": size, "out": listed(out)})

mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
normalized = image(3, 2, 3).sub(mean[:, None, None]).div(std[:, None, None])

splits = []
for count, lengths, seed in [(10, [7, 3], 42), (10, [0.5, 0.25, 0.25], 0), (11, [0.3, 0.3, 0.4], 7), (5, [0, 5], 1)]:
    parts = random_split(TensorDataset(torch.zeros(count)), lengths, generator=torch.Generator().manual_seed(seed))
    splits.append({"count": count, "lengths": lengths, "seed": seed, "parts": [list(part.indices) for part in parts]})

orders = []
for seed, epoch in [(0, 0), (0, 3), (5, 1)]:
    sampler = DistributedSampler(TensorDataset(torch.zeros(9)), num_replicas=1, rank=0, shuffle=True, seed=seed)
    sampler.set_epoch(epoch)
    orders.append({"seed": seed, "epoch": epoch, "order": list(sampler)})

torch.manual_seed(3)
crops = []
for _ in range(6):
    top = torch.randint(0, 8 + 2 * 2 - 5 + 1, size=(1,)).item()
    left = torch.randint(0, 9 + 2 * 2 - 5 + 1, size=(1,)).item()
    crops.append({"top": top - 2, "left": left - 2, "flip": bool(torch.rand(1) < 0.5)})

Path(__file__).with_name("numbers.json").write_text(
    json.dumps(
        {
            "torch": torch.__version__,
            "resizes": resizes,
            "normalized": listed(normalized),
            "splits": splits,
            "orders": orders,
            "crops": crops,
        },
        separators=(",", ":"),
    )
    + "\n"
)
