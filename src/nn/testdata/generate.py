"""Writes layers.json and layers.safetensors: PyTorch's initial weights, printed form and outputs of each layer, and what `torch.nn.init` draws.

Run with PyTorch 2.13 and safetensors' format written by hand: `python generate.py` in this folder. Cases name layers and options as
the TypeScript classes do; options are turned into Python's names here.
"""
import json
import re
import struct

import torch
import torch.nn as nn

TENSORS, CASES = {}, []


def put(name, tensor):
    TENSORS[name] = tensor.detach().contiguous().clone()
    return name


def snake(name):
    return re.sub("([A-Z])", lambda m: "_" + m[1].lower(), name)


def tupled(value):
    return tuple(value) if isinstance(value, list) else value


def add(layer, args=(), options=None, inputs=((2, 4, 6, 7),), training=False, positive=False):
    options = options or {}
    i = len(CASES)
    torch.manual_seed(i)
    module = getattr(nn, layer)(*map(tupled, args), **{snake(k): tupled(v) for k, v in options.items()})
    case = dict(layer=layer, args=list(args), options=options, seed=i, training=training, repr=repr(module))
    case["init"] = {k: put(f"{i}.init.{k}", v) for k, v in module.state_dict().items()}
    # Statistics, scales and shifts other than 0 and 1.
    torch.manual_seed(1000 + i)
    for k, v in module.state_dict().items():
        if v.is_floating_point() and (v.numel() == 0 or v.min() == v.max() or k.startswith("running")):
            v.copy_(torch.rand(v.shape) + 0.5)
    case["state"] = {k: put(f"{i}.state.{k}", v) for k, v in module.state_dict().items()}
    module.train(training)
    xs = []
    for shape in inputs:
        xs.append(torch.randint(0, shape[0], tuple(shape[1:])) if layer == "Embedding" else 2 * torch.randn(*shape))
    case["inputs"] = [put(f"{i}.in{j}", x) for j, x in enumerate(xs)]
    outputs = module(*xs)
    outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
    case["outputs"] = [put(f"{i}.out{j}", y) for j, y in enumerate(outputs)]
    if training:
        case["updated"] = {k: put(f"{i}.after.{k}", v) for k, v in module.state_dict().items() if k in dict(module.named_buffers())}
    CASES.append(case)


# Convolutions
add("Conv1d", (4, 6, 3), dict(stride=2, padding=1), [(2, 4, 11)])
add("Conv1d", (4, 6, 4), dict(padding="same", dilation=2), [(2, 4, 11)])
add("Conv2d", (4, 6, 3))
add("Conv2d", (4, 6, [3, 2]), dict(stride=[2, 1], padding=[1, 0], bias=False))
add("Conv2d", (4, 8, 3), dict(groups=4, dilation=2, padding=2))
add("Conv2d", (4, 6, 4), dict(padding="same"))
add("Conv2d", (4, 6, 3), dict(padding="valid"))
add("Conv2d", (4, 6, 3), dict(padding=1, paddingMode="reflect"))
add("Conv2d", (4, 6, 3), dict(padding=[2, 1], paddingMode="circular"))
add("Conv2d", (4, 6, 3), dict(padding="same", paddingMode="replicate"))
add("ConvTranspose1d", (4, 6, 3), dict(stride=2), [(2, 4, 5)])
add("ConvTranspose2d", (4, 6, 2), dict(stride=2))
add("ConvTranspose2d", (4, 6, 3), dict(stride=2, padding=1, outputPadding=1, groups=2, bias=False))
add("ConvTranspose2d", (4, 6, [3, 2]), dict(stride=[1, 2], dilation=[2, 1], padding=[1, 0]))
# Linear layers and tables
add("Linear", (7, 5))
add("Linear", (13, 7), dict(bias=False), [(3, 13)])
add("Linear", (13, 7), {}, [(3, 13)])
add("Embedding", (10, 6), {}, [(10, 2, 5)])
add("Embedding", (10, 6), dict(paddingIdx=-2), [(10, 2, 5)])
# Normalizations
for training in (False, True):
    add("BatchNorm1d", (4,), {}, [(5, 4)], training)
    add("BatchNorm1d", (4,), dict(eps=1e-3, momentum=0.03), [(5, 4, 6)], training)
    add("BatchNorm2d", (4,), {}, [(2, 4, 6, 7)], training)
    add("BatchNorm2d", (4,), dict(affine=False), [(2, 4, 6, 7)], training)
    add("BatchNorm2d", (4,), dict(bias=False), [(2, 4, 6, 7)], training)
    add("BatchNorm2d", (4,), dict(trackRunningStats=False), [(2, 4, 6, 7)], training)
    add("BatchNorm2d", (4,), dict(momentum=None), [(2, 4, 6, 7)], training)
add("LayerNorm", (7,))
add("LayerNorm", ([6, 7],), dict(eps=1e-3))
add("LayerNorm", (7,), dict(elementwiseAffine=False))
add("LayerNorm", (7,), dict(bias=False))
add("GroupNorm", (2, 4))
add("GroupNorm", (2, 4), dict(bias=False))
add("GroupNorm", (4, 4), dict(affine=False, eps=1e-3), [(2, 4, 6)])
# Activations
for layer, args, options in [
    ("Identity", (), {}), ("ReLU", (), {}), ("ReLU6", (), {}), ("SiLU", (), {}), ("GELU", (), {}), ("GELU", (), dict(approximate="tanh")),
    ("Hardswish", (), {}), ("Hardsigmoid", (), {}), ("LeakyReLU", (), {}), ("LeakyReLU", (0.2,), {}), ("PReLU", (), {}), ("PReLU", (4,), dict(init=0.1)),
    ("ELU", (), {}), ("ELU", (0.5,), {}), ("Sigmoid", (), {}), ("Tanh", (), {}), ("Softmax", (1,), {}), ("Softmax", (-1,), {}), ("LogSoftmax", (1,), {}),
    ("Softplus", (), {}), ("Softplus", (2.0,), {}), ("Mish", (), {}), ("Dropout", (), {}), ("Dropout", (0.2,), {}),
]:
    add(layer, args, options)
# Pooling
add("MaxPool2d", (2,))
add("MaxPool2d", (3,), dict(stride=2, padding=1))
add("MaxPool2d", ([3, 2],), dict(stride=[1, 2], dilation=[2, 1]))
add("MaxPool2d", (2,), dict(ceilMode=True))
add("MaxPool2d", (3,), dict(stride=2, ceilMode=True, padding=1))
add("MaxPool2d", (5,), dict(stride=1, padding=2))
add("AvgPool2d", (2,))
add("AvgPool2d", (3,), dict(stride=2, padding=1))
add("AvgPool2d", (3,), dict(stride=2, padding=1, countIncludePad=False))
add("AvgPool2d", (2,), dict(ceilMode=True))
add("AvgPool2d", (3,), dict(stride=2, padding=1, ceilMode=True))
add("AdaptiveAvgPool2d", (1,))
add("AdaptiveAvgPool2d", ([1, 1],))
add("AdaptiveAvgPool2d", ([3, 1],))
add("AdaptiveAvgPool2d", ([2, None],))
add("AdaptiveMaxPool2d", (1,))
add("AdaptiveMaxPool2d", ([3, 7],))
# Shapes and sizes
add("Upsample", (), dict(scaleFactor=2))
add("Upsample", (), dict(size=[9, 5]))
add("Upsample", (), dict(scaleFactor=2, mode="bilinear"))
add("Upsample", (), dict(scaleFactor=[2, 3], mode="bilinear", alignCorners=True))
add("Upsample", (), dict(size=9, mode="bilinear"))
add("Upsample", (), dict(scaleFactor=2, mode="bicubic"))
add("Flatten")
add("Flatten", (2, 3))
add("Unflatten", (1, [2, 2]))
add("PixelShuffle", (2,))
add("ZeroPad2d", (1,))
add("ZeroPad2d", ([1, 2, 0, -1],))
# Attention: self, with another source, bias and order of axes
add("MultiheadAttention", (8, 2), dict(batchFirst=True), [(2, 5, 8)] * 3)
add("MultiheadAttention", (8, 4), {}, [(5, 2, 8), (3, 2, 8), (3, 2, 8)])
add("MultiheadAttention", (8, 2), dict(bias=False), [(5, 2, 8)] * 3)

# Initialization: function, shape, arguments, and PyTorch's keyword arguments
INITS = []
for name, shape, args, kwargs in [
    ("uniformUnit", (5, 4), ("uniform_",), {}),
    ("uniformRange", (37,), ("uniform_",), dict(a=-0.3, b=1.7)),
    ("normalUnit", (33,), ("normal_",), {}),
    ("normalFew", (7,), ("normal_",), dict(mean=0.5, std=2.0)),
    ("normalMany", (6, 7), ("normal_",), dict(mean=-1.0, std=0.02)),
    ("constant", (3, 2), ("constant_",), dict(val=0.1)),
    ("zeros", (3, 2), ("zeros_",), {}),
    ("ones", (3, 2), ("ones_",), {}),
    ("xavierUniform", (5, 4, 3, 3), ("xavier_uniform_",), {}),
    ("xavierUniformGain", (5, 4), ("xavier_uniform_",), dict(gain=5 / 3)),
    ("xavierNormal", (5, 4, 3), ("xavier_normal_",), dict(gain=1.5)),
    ("kaimingUniform", (5, 4, 3, 3), ("kaiming_uniform_",), {}),
    ("kaimingUniformLeaky", (5, 4, 3, 3), ("kaiming_uniform_",), dict(a=5**0.5)),
    ("kaimingUniformOut", (5, 4, 3, 3), ("kaiming_uniform_",), dict(mode="fan_out", nonlinearity="relu")),
    ("kaimingNormal", (5, 4, 3, 3), ("kaiming_normal_",), {}),
    ("kaimingNormalOut", (6, 5), ("kaiming_normal_",), dict(mode="fan_out", nonlinearity="tanh")),
    ("truncNormal", (9, 8), ("trunc_normal_",), {}),
    ("truncNormalSmall", (9, 8), ("trunc_normal_",), dict(std=0.02)),
    ("truncNormalTail", (9, 8), ("trunc_normal_",), dict(mean=0.0, std=1.0, a=1.0, b=3.0)),
    ("truncNormalNarrow", (9, 8), ("trunc_normal_",), dict(mean=0.5, std=2.0, a=0.0, b=0.5)),
]:
    seed = 500 + len(INITS)
    torch.manual_seed(seed)
    tensor = torch.empty(*shape)
    getattr(nn.init, args[0])(tensor, **kwargs)
    INITS.append(dict(name=name, seed=seed, shape=list(shape), result=put(f"init.{name}", tensor), after=torch.rand(1).item()))

header, data, offset = {}, [], 0
names = {torch.float32: "F32", torch.int64: "I64"}
for name, tensor in TENSORS.items():
    raw = tensor.numpy().tobytes()
    header[name] = dict(dtype=names[tensor.dtype], shape=list(tensor.shape), data_offsets=[offset, offset + len(raw)])
    data.append(raw)
    offset += len(raw)
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open("layers.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + b"".join(data))
with open("layers.json", "w") as file:
    json.dump(dict(torch=torch.__version__.split("+")[0], cases=CASES, inits=INITS), file, indent=1)
    file.write("\n")
print(len(CASES), "cases", offset // 1024, "KiB")
