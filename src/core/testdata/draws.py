"""Makes draws.json: what PyTorch's CPU generator draws. Run here; needs torch (written with 2.13, on x86-64 with AVX2).

Numbers are the base64 of their little-endian bytes.
"""
import base64
import json

import torch


def coded(tensor):
    return base64.b64encode(tensor.contiguous().numpy().tobytes()).decode()


CASES = []


def add(call, seed, args, make, dtype=None):
    torch.manual_seed(seed)
    out = make()
    # Draws that follow tell whether as many words were taken, and whether a normal number was kept.
    CASES.append(dict(call=call, seed=str(seed), args=args, out=coded(out), then=coded(torch.randn(3)), last=coded(torch.rand(2))))


for seed in (0, 1, -1, 2**31 + 7, 2**63 - 1):
    add("rand", seed, [7], lambda: torch.rand(7))
for n in (0, 1, 623, 624, 700):
    add("rand", 3, [n], lambda: torch.rand(n))
for n in (0, 1, 5, 400):
    add("rand64", 4, [n], lambda: torch.rand(n, dtype=torch.float64))
for n in (0, 1, 2, 3, 14, 15, 16, 17, 31, 32, 33, 100, 640):
    add("randn", 5, [n], lambda: torch.randn(n))
for n, mean, std in ((3, 2, 0.5), (16, -1, 3), (21, 0.1, 0.02), (40, 5, 0)):
    add("normal", 6, [n, mean, std], lambda: torch.empty(n).normal_(mean, std))
for n, low, high in ((9, 0, 1), (40, -0.25, 0.25), (40, 3, 3.0000002384185791015625), (9, 2, 2), (40, -1e20, 7), (20, 0.1, 0.7)):
    add("uniform", 7, [n, low, high], lambda: torch.empty(n).uniform_(low, high))
for n in (0, 1, 2, 10, 257, 1000):
    add("randperm", 8, [n], lambda: torch.randperm(n).to(torch.int32))
for n, low, high in ((12, 0, 10), (12, -5, 5), (12, 0, 1), (12, 0, 2**28 - 1), (12, 0, 2**28), (12, 0, 2**31), (12, -(2**40), 2**40 + 3), (12, 0, 2**53 - 1)):
    add("randint", 9, [n, low, high], lambda: torch.randint(low, high, (n,)).to(torch.float64))

STATES = []
for seed, call, n in ((11, "rand", 0), (12, "rand", 1), (13, "randn", 1), (2**63, "rand", 624)):
    torch.manual_seed(seed)
    getattr(torch, call)(n)
    before = coded(torch.get_rng_state())
    STATES.append(dict(seed=str(seed), call=call, n=n, state=before, randn=coded(torch.randn(5)), rand=coded(torch.rand(5))))

json.dump(dict(torch=torch.__version__, cases=CASES, states=STATES), open("draws.json", "w"), separators=(",", ":"))
