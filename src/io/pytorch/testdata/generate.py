"""Makes the checkpoints of this folder, expected.json (what they hold) and pickles.json (plain values, in hex). PyTorch 2.13.0, NumPy 2: python generate.py"""

import argparse
import collections
import io
import json
import pathlib
import pickle
import sys
import types
import warnings
import zipfile

import numpy
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent
warnings.filterwarnings("ignore")
torch.manual_seed(0)

# Classes are pickled under the names of modules that whoever reads them does not have.
networks = types.ModuleType("networks")
sys.modules["networks"] = networks


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 1, bias=False)
        self.bn = nn.BatchNorm2d(3)
        self.act = nn.SiLU()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(Block(), nn.Sequential(nn.Conv2d(3, 4, 1)))
        self.scale = nn.Parameter(torch.tensor([1.5, -2.5]))
        self.register_parameter("absent", None)
        self.register_buffer("anchors", torch.arange(4.0).reshape(2, 2))
        self.register_buffer("cache", torch.ones(3), persistent=False)
        self.names = ["cell", "platelet"]
        self.yaml = {"nc": 2, "anchors": [[10, 13], [16, 30]], "head": [[-1, 1, "Detect", ["nc"]]]}
        self.stride = torch.tensor([8.0, 16.0])
        self.model[1][0].weight.data = self.model[1][0].weight.data.contiguous(memory_format=torch.channels_last)


for kind in (Block, Net):
    kind.__module__ = "networks"
    setattr(networks, kind.__name__, kind)


def state():
    """Every storage class, and every way in which a tensor can lie in its storage."""
    base = torch.arange(24, dtype=torch.float32)
    grid = torch.arange(12, dtype=torch.int32).reshape(3, 4)
    tensors = {
        "float32": torch.tensor([[1.5, -2.0], [0.25, 3e38]]),
        "float64": torch.tensor([1.1, -2.2], dtype=torch.float64),
        "float16": torch.tensor([1.5, -0.0, 65504, float("inf")], dtype=torch.float16),
        "bfloat16": torch.tensor([1.5, -3.0, 1e38], dtype=torch.bfloat16),
        "int64": torch.tensor([2**62, -1]),
        "int32": torch.tensor([2**30, -1], dtype=torch.int32),
        "int16": torch.tensor([2**14, -1], dtype=torch.int16),
        "int8": torch.tensor([127, -128], dtype=torch.int8),
        "uint8": torch.tensor([255, 0], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "complex64": torch.tensor([1 + 2j, -3.5j], dtype=torch.complex64),
        "complex128": torch.tensor([1 + 2j], dtype=torch.complex128),
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "parameter": nn.Parameter(torch.tensor([0.5])),
        "whole": base,
        "same": base,
        "part": base[4:10],
        "strided": base[1::5],
        "transposed": grid.t(),
        "columns": grid[1:, 1:3],
        "expanded": torch.tensor([[5.0], [6.0]]).expand(2, 3),
        "channels_last": torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
    }
    return collections.OrderedDict(tensors)


def values(tensor):
    tensor = tensor.detach()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    if tensor.dtype in (torch.uint16, torch.uint32, torch.uint64):
        return [str(value) for value in tensor.flatten().tolist()]
    if tensor.dtype in (torch.int64,):
        return [str(value) for value in tensor.flatten().tolist()]
    if tensor.dtype == torch.bool:
        return [int(value) for value in tensor.flatten().tolist()]
    return ["inf" if value == float("inf") else value for value in tensor.double().flatten().tolist()]


def described(tensors):
    return {
        name: {"dtype": str(tensor.dtype).split(".")[1], "shape": list(tensor.shape), "values": values(tensor)}
        for name, tensor in tensors.items()
    }


def rezipped(data, compression, change=lambda name, content: content):
    """The same archive written by Python's own zipfile."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", compression) as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name), change(name, source.read(name)), compression)
    return out.getvalue()


def saved(value, **options):
    out = io.BytesIO()
    torch.save(value, out, **options)
    return out.getvalue()


def big_endian(data, tensors):
    """What a big-endian machine would have written: every element turned round."""
    widths = {}
    for tensor in tensors.values():
        width = tensor.element_size() // (2 if tensor.is_complex() else 1)
        widths[tensor.untyped_storage().data_ptr()] = width
    # Storages are numbered as they come.
    order = [widths[pointer] for pointer in dict.fromkeys(t.untyped_storage().data_ptr() for t in tensors.values())]

    def change(name, content):
        if name.endswith("/byteorder"):
            return b"big"
        if "/data/" not in name:
            return content
        width = order[int(name.split("/")[-1])]
        return b"".join(content[at : at + width][::-1] for at in range(0, len(content), width))

    return rezipped(data, zipfile.ZIP_STORED, change)


def write(name, data):
    (HERE / name).write_bytes(data)


tensors = state()
expected = {"state": described(tensors)}
write("state.pt", saved(tensors))
write("state-legacy.pt", saved(tensors, _use_new_zipfile_serialization=False))
write("state-legacy-protocol1.pt", saved(tensors, _use_new_zipfile_serialization=False, pickle_protocol=1))
write("state-protocol4.pt", saved(tensors, pickle_protocol=4))
write("state-protocol5.pt", saved(tensors, pickle_protocol=5))
write("state-deflated.pt", rezipped(saved(tensors), zipfile.ZIP_DEFLATED))
with_memory = collections.OrderedDict((name, tensor) for name, tensor in tensors.items() if tensor.numel() > 0)
write("state-big-endian.pt", big_endian(saved(with_memory), with_memory))
torch.serialization.set_crc32_options(False)
write("state-without-checksums.pt", saved(tensors))
torch.serialization.set_crc32_options(True)
for file in sorted(HERE.glob("state*.pt")):
    # Of the protocols, weights_only takes the usual one alone. The files are our own.
    read = torch.load(file, weights_only=False)
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in read.items()), file

newer = {
    "uint16": torch.tensor([1, 65535], dtype=torch.uint16),
    "uint32": torch.tensor([1, 2**32 - 1], dtype=torch.uint32),
    "uint64": torch.tensor([1, 2**63], dtype=torch.uint64),
    "float8_e4m3fn": torch.tensor([1.5, -2.0, 3.0]).to(torch.float8_e4m3fn),
    "float8_e5m2": torch.tensor([1.5, -2.0]).to(torch.float8_e5m2),
}
expected["newer"] = described(newer)
write("newer-dtypes.pt", saved(newer))

net = Net()
expected["module"] = described(net.state_dict())
write("module.pt", saved(net))
# Modules come with the source of their classes there: a stand-in, which is shorter and names no paths.
torch.serialization.get_source_lines_and_file = lambda kind: (["class Source: ..."], 1, "networks.py")
write("module-legacy.pt", saved(net, _use_new_zipfile_serialization=False))

ema = Net().half()
expected["ema"] = described(ema.state_dict())
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
checkpoint = {
    "epoch": 12,
    "best_fitness": numpy.float64(0.625),
    "results": numpy.array([[0.5, 0.25]], dtype=numpy.float32),
    "model": net,
    "ema": ema,
    "optimizer": optimizer.state_dict(),
    "opt": argparse.Namespace(weights="yolov5n.pt", imgsz=[640, 640], path=pathlib.PurePosixPath("runs/train")),
    "date": "2024-01-01",
    "size": torch.Size([3, 4]),
    "tags": {"small", "trained"} & {"small"},
    "large": 2**70,
    "none": None,
}
write("checkpoint.pt", saved(checkpoint))
write(
    "parallel.pt",
    saved({"state_dict": nn.DataParallel(net).state_dict(), "best_prec1": torch.tensor(91.5), "arch": "net"}),
)

odd = {
    "quantized": torch.quantize_per_tensor(torch.tensor([1.0, 2.0]), 0.5, 0, torch.qint8),
    "sparse": torch.eye(2).to_sparse(),
    "meta": torch.empty(3, device="meta"),
}
for name, tensor in odd.items():
    write(f"{name}.pt", saved({name: tensor}))

# Plain values by each protocol of pickle.
value = {
    "none": None,
    "truth": [True, False],
    "whole": [0, 255, 256, 65535, 65536, 2**31 - 1, -1, -(2**31), 2**40, 2**53 - 1, -(2**53) + 1],
    "large": [2**53, 2**70, -(2**100)],
    "floats": [0.5, -1e300, float("inf"), float("-inf")],
    "text": ["", "plain", "Zähne \u20ac \U0001f9ea", "line\nand \\ 'quote'", "x" * 300],
    "bytes": [b"", b"\x00\x80\xff", b"y" * 300],
    "bytearray": bytearray(b"\x01\x02"),
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "set": {1},
    "frozenset": frozenset([2]),
    "nested": {"a": [{"b": ({},)}]},
    "ordered": collections.OrderedDict([("z", 1), ("a", 2)]),
    "default": collections.defaultdict(list, {"k": [1]}),
    3: "number",
    (1, "two"): "tuple",
    "object": argparse.Namespace(lr=0.1, names=["a"]),
    "path": pathlib.PurePosixPath("runs/train"),
    "complex": 1 + 2j,
    "scalars": [numpy.float32(0.5), numpy.int64(-3), numpy.bool_(True), numpy.float16(1.5), numpy.uint8(200)],
    "array": numpy.arange(6, dtype=numpy.int16).reshape(2, 3),
    "class": collections.OrderedDict,
}
value["itself"] = [value["nested"], value["nested"]]
pickles = {str(protocol): pickle.dumps(value, protocol).hex() for protocol in range(6)}
(HERE / "pickles.json").write_text(json.dumps(pickles) + "\n")

(HERE / "expected.json").write_text(json.dumps(expected) + "\n")
