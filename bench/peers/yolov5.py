"""YOLOv5 v6.0's architecture in PyTorch, for timing thop's profile on the same network. Weights are PyTorch's initial ones."""
import torch
import torch.nn as nn

MULTIPLES = {"n": (0.33, 0.25), "s": (0.33, 0.50), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)}


class Conv(nn.Module):
    def __init__(self, c1, c2, k=1, s=1, p=None):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, k // 2 if p is None else p, bias=False)
        self.bn = nn.BatchNorm2d(c2, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, c, shortcut):
        super().__init__()
        self.cv1, self.cv2, self.add = Conv(c, c), Conv(c, c, 3), shortcut

    def forward(self, x):
        y = self.cv2(self.cv1(x))
        return x + y if self.add else y


class C3(nn.Module):
    def __init__(self, c1, c2, n=1, shortcut=True):
        super().__init__()
        c = c2 // 2
        self.cv1, self.cv2, self.cv3 = Conv(c1, c), Conv(c1, c), Conv(2 * c, c2)
        self.m = nn.Sequential(*(Bottleneck(c, shortcut) for _ in range(n)))

    def forward(self, x):
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))


class SPPF(nn.Module):
    def __init__(self, c1, c2, k=5):
        super().__init__()
        self.cv1, self.cv2 = Conv(c1, c1 // 2), Conv(c1 * 2, c2)
        self.m = nn.MaxPool2d(k, 1, k // 2)

    def forward(self, x):
        x = self.cv1(x)
        y = self.m(x)
        z = self.m(y)
        return self.cv2(torch.cat((x, y, z, self.m(z)), 1))


class Yolov5(nn.Module):
    def __init__(self, size="s", classes=80):
        super().__init__()
        depth, width = MULTIPLES[size]
        ch = lambda c: int(-(-c * width // 8) * 8)
        rep = lambda n: max(round(n * depth), 1)
        c = [ch(v) for v in (64, 128, 256, 512, 1024)]
        self.model = nn.ModuleList([
            Conv(3, c[0], 6, 2, 2), Conv(c[0], c[1], 3, 2), C3(c[1], c[1], rep(3)),
            Conv(c[1], c[2], 3, 2), C3(c[2], c[2], rep(6)),
            Conv(c[2], c[3], 3, 2), C3(c[3], c[3], rep(9)),
            Conv(c[3], c[4], 3, 2), C3(c[4], c[4], rep(3)), SPPF(c[4], c[4]),
            Conv(c[4], c[3]), nn.Upsample(scale_factor=2), nn.Identity(), C3(2 * c[3], c[3], rep(3), False),
            Conv(c[3], c[2]), nn.Upsample(scale_factor=2), nn.Identity(), C3(2 * c[2], c[2], rep(3), False),
            Conv(c[2], c[2], 3, 2), nn.Identity(), C3(2 * c[2], c[3], rep(3), False),
            Conv(c[3], c[3], 3, 2), nn.Identity(), C3(2 * c[3], c[4], rep(3), False),
        ])
        self.heads = nn.ModuleList(nn.Conv2d(k, 3 * (classes + 5), 1) for k in c[2:])

    def forward(self, x):
        m, kept = self.model, {}
        for i in range(10):
            x = m[i](x)
            kept[i] = x
        kept[10] = x = m[10](x)
        x = m[13](torch.cat((m[11](x), kept[6]), 1))
        kept[14] = x = m[14](x)
        p3 = m[17](torch.cat((m[15](x), kept[4]), 1))
        p4 = m[20](torch.cat((m[18](p3), kept[14]), 1))
        p5 = m[23](torch.cat((m[21](p4), kept[10]), 1))
        return [head(p) for head, p in zip(self.heads, (p3, p4, p5))]
