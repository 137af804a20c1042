"""Times PyTorch's training steps on demand, so that both sides are measured in turn in one run.

    python training.py    reads one JSON command a line, answers one JSON line

Commands: {"do": "hello"}, {"do": "open", "model": "resnet20", "threads": 2, "compile": false}, {"do": "steps", "count": 10} -> {"seconds": [...]}.
A step is zero_grad, forward, cross entropy, backward and SGD with momentum and weight decay, on the same batch each time. Needs torch.
"""
import json, sys, time
import torch
import torch.nn as nn
import torch.nn.functional as F
from yolov5 import Yolov5


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 16, 3)
        self.fc1, self.fc2, self.fc3 = nn.Linear(576, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Block(nn.Module):
    def __init__(self, c1, c2, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c1, c2, 3, stride, 1, bias=False), nn.BatchNorm2d(c2)
        self.conv2, self.bn2 = nn.Conv2d(c2, c2, 3, 1, 1, bias=False), nn.BatchNorm2d(c2)
        self.pad = c2 // 4 if stride != 1 else 0

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.pad:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(y + x)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        blocks, c = [], 16
        for width, stride in ((16, 1), (32, 2), (64, 2)):
            for index in range(3):
                blocks.append(Block(c, width, stride if index == 0 else 1))
                c = width
        self.blocks, self.linear = nn.Sequential(*blocks), nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(F.relu(self.bn1(self.conv1(x))))
        return self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))


class InvertedResidual(nn.Module):
    def __init__(self, c1, c2, stride, expand):
        super().__init__()
        wide, layers = c1 * expand, []
        if expand != 1:
            layers += [nn.Conv2d(c1, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(True)]
        layers += [nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(wide, c2, 1, bias=False), nn.BatchNorm2d(c2))
        self.add = stride == 1 and c1 == c2

    def forward(self, x):
        return x + self.layers(x) if self.add else self.layers(x)


class MobileNetV2(nn.Module):
    def __init__(self):
        super().__init__()
        layers, c = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6(True)], 32
        for t, width, n, s in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
            for index in range(n):
                layers.append(InvertedResidual(c, width, s if index == 0 else 1, t))
                c = width
        layers += [nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU6(True)]
        self.features, self.dropout, self.linear = nn.Sequential(*layers), nn.Dropout(0.2), nn.Linear(1280, 1000)

    def forward(self, x):
        return self.linear(self.dropout(self.features(x).mean((2, 3))))


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers, self.linear = nn.Sequential(*Yolov5("n", 80).model[:10]), nn.Linear(256, 80)

    def forward(self, x):
        return self.linear(self.layers(x).mean((2, 3)))


MODELS = {
    "lenet5": (LeNet5, (64, 1, 32, 32), 10),
    "resnet20": (ResNet20, (64, 3, 32, 32), 10),
    "mobilenet_v2": (MobileNetV2, (16, 3, 96, 96), 1000),
    "yolov5n backbone": (Backbone, (4, 3, 320, 320), 80),
}
step = None


def open_model(name, threads, compiled):
    torch.set_num_threads(threads)
    make, shape, classes = MODELS[name]
    model = make().train()
    forward = torch.compile(model) if compiled else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    x, target = torch.randn(*shape), torch.arange(shape[0]) % classes

    def run():
        optimizer.zero_grad()
        F.cross_entropy(forward(x), target).backward()
        optimizer.step()

    run()
    return run


for line in sys.stdin:
    command = json.loads(line)
    try:
        if command["do"] == "hello":
            answer = {"torch": torch.__version__}
        elif command["do"] == "open":
            step = open_model(command["model"], command["threads"], command["compile"])
            answer = {}
        else:
            seconds = []
            for _ in range(command["count"]):
                begin = time.perf_counter()
                step()
                seconds.append(time.perf_counter() - begin)
            answer = {"seconds": seconds}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
