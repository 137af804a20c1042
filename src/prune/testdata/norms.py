"""Norms of channels by PyTorch, for norm.test.ts.

    python3 norms.py > norms.json

Weights are torch.randn after manual_seed, which the library draws too. Results are the bits of float32 numbers.
"""
import json, sys
import torch

cases = []
shapes = [(6, 5, 3, 3), (4, 8, 1, 1), (3, 7), (5, 1, 2, 2), (7, 2, 5), (4, 3, 11), (2, 33), (1, 6, 3, 3)]
for seed, shape in enumerate(shapes):
    torch.manual_seed(seed)
    t = torch.randn(shape)
    for axis in range(len(shape)):
        if shape[axis] == 1:
            continue
        for p in [1, 2, 0, float("inf"), float("-inf")] + (["fro"] if len(shape) < 4 else []):
            norm = torch.norm(t, p=p, dim=[d for d in range(len(shape)) if d != axis])
            cases.append(dict(seed=seed, shape=shape, axis=axis, p=str(p), bits=norm.view(torch.int32).tolist()))
        for p in [3, 0.5, -1] + (["nuc"] if len(shape) == 3 else []):
            norm = torch.norm(t, p=p, dim=[d for d in range(len(shape)) if d != axis])
            cases.append(dict(seed=seed, shape=shape, axis=axis, p=str(p), values=norm.tolist()))
json.dump(dict(torch=torch.__version__, cases=cases), sys.stdout)
print()
