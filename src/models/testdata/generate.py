"""Initial weights and outputs of the networks, from PyTorch, for models.test.ts.

    python3 generate.py

Needs torch alone (made with 2.13.0). The networks are written here from their published descriptions: the ResNets of He et al. 2015 for CIFAR,
MobileNetV2 of Sandler et al. 2018 as torchvision names and initializes it, YOLOv5 v6.0 of Ultralytics.
States are kept as names and one SHA-256 over all elements' bytes, outputs in full.
"""
import hashlib, json, math, os
import torch, torch.nn as nn, torch.nn.functional as F

torch.set_num_threads(1)
CASES = []


def case(name, seed, make, shape, prepare=lambda m: None, options=None):
    torch.manual_seed(seed)
    m = make()
    digest = hashlib.sha256()
    state = m.state_dict()
    for t in state.values():
        digest.update(t.contiguous().numpy().tobytes())
    prepare(m)
    m.eval()
    torch.manual_seed(seed + 1)
    with torch.no_grad():
        y = m(torch.randn(*shape))
    ys = list(y) if isinstance(y, (list, tuple)) else [y]
    CASES.append(dict(
        name=name, seed=seed, options=options or {}, input=list(shape),
        parameters=sum(p.numel() for p in m.parameters()), modules=len(list(m.modules())),
        keys=list(state.keys()), sha256=digest.hexdigest(),
        outputs=[dict(shape=list(t.shape), data=[float(f"{v:.9g}") for v in t.flatten().tolist()]) for t in ys],
    ))


# ---- CIFAR ResNets ------------------------------------------------------------------------------------------
class Padded(nn.Module):
    def __init__(self, added):
        super().__init__(); self.added = added
    def forward(self, x):
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added, self.added))

class Block(nn.Module):
    def __init__(self, i, o, s, option):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, s, 1, bias=False); self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False); self.bn2 = nn.BatchNorm2d(o)
        if s == 1 and i == o: self.shortcut = nn.Sequential()
        elif option == "A": self.shortcut = Padded(o // 4)
        else: self.shortcut = nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o))
    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))

class ResNet(nn.Module):
    def __init__(self, n, classes=10, option="A"):
        super().__init__()
        stage = lambda i, o, s: nn.Sequential(*[Block(i if k == 0 else o, o, s if k == 0 else 1, option) for k in range(n)])
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False); self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = stage(16, 16, 1); self.layer2 = stage(16, 32, 2); self.layer3 = stage(32, 64, 2)
        self.linear = nn.Linear(64, classes)
        def weights(m):
            if isinstance(m, (nn.Linear, nn.Conv2d)): nn.init.kaiming_normal_(m.weight)
        self.apply(weights)
    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(F.avg_pool2d(x, x.size(3)).flatten(1))

# ---- MobileNetV2 -----------------------------------------------------------------------------------------------
def divisible(v, d=8):
    n = max(d, int(v + d / 2) // d * d)
    return n + d if n < 0.9 * v else n

def cna(i, o, k, s=1, g=1):
    return nn.Sequential(nn.Conv2d(i, o, k, s, (k - 1) // 2, groups=g, bias=False), nn.BatchNorm2d(o), nn.ReLU6())

class Inverted(nn.Module):
    def __init__(self, i, o, s, t):
        super().__init__()
        h = i * t; self.res = s == 1 and i == o
        self.conv = nn.Sequential(*([cna(i, h, 1)] if t != 1 else []), cna(h, h, 3, s, h), nn.Conv2d(h, o, 1, bias=False), nn.BatchNorm2d(o))
    def forward(self, x):
        return x + self.conv(x) if self.res else self.conv(x)

class MobileNetV2(nn.Module):
    def __init__(self, classes, w):
        super().__init__()
        c = divisible(32 * w); last = divisible(1280 * max(1.0, w)); layers = [cna(3, c, 3, 2)]
        for t, ch, n, s in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
            o = divisible(ch * w)
            for k in range(n):
                layers.append(Inverted(c, o, s if k == 0 else 1, t)); c = o
        layers.append(cna(c, last, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))
        for m in self.modules():
            if isinstance(m, nn.Conv2d): nn.init.kaiming_normal_(m.weight, mode="fan_out")
            elif isinstance(m, nn.Linear): nn.init.normal_(m.weight, 0, 0.01); nn.init.zeros_(m.bias)
    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))

# ---- YOLOv5 v6.0 -----------------------------------------------------------------------------------------------
class Conv(nn.Module):
    def __init__(self, i, o, k=1, s=1, p=None):
        super().__init__()
        self.conv = nn.Conv2d(i, o, k, s, k // 2 if p is None else p, bias=False); self.bn = nn.BatchNorm2d(o, eps=1e-3, momentum=0.03); self.act = nn.SiLU()
    def forward(self, x): return self.act(self.bn(self.conv(x)))

class Bottleneck(nn.Module):
    def __init__(self, c, shortcut):
        super().__init__(); self.cv1 = Conv(c, c); self.cv2 = Conv(c, c, 3); self.add = shortcut
    def forward(self, x): return x + self.cv2(self.cv1(x)) if self.add else self.cv2(self.cv1(x))

class C3(nn.Module):
    def __init__(self, i, o, n, shortcut=True):
        super().__init__(); h = o // 2
        self.cv1 = Conv(i, h); self.cv2 = Conv(i, h); self.cv3 = Conv(2 * h, o)
        self.m = nn.Sequential(*[Bottleneck(h, shortcut) for _ in range(n)])
    def forward(self, x): return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))

class SPPF(nn.Module):
    def __init__(self, i, o, k=5):
        super().__init__(); self.cv1 = Conv(i, i // 2); self.cv2 = Conv(i * 2, o); self.m = nn.MaxPool2d(k, 1, k // 2)
    def forward(self, x):
        x = self.cv1(x); a = self.m(x); b = self.m(a)
        return self.cv2(torch.cat([x, a, b, self.m(b)], 1))

class Cat(nn.Module):
    def forward(self, x): return torch.cat(x, 1)

class Detect(nn.Module):
    def __init__(self, nc, ch, decode):
        super().__init__(); self.nc = nc; self.no = nc + 5; self.s = [8, 16, 32]; self.decode = decode
        a = torch.tensor([[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]).float().view(3, 3, 2)
        self.register_buffer("anchors", a / torch.tensor(self.s).view(-1, 1, 1))
        self.m = nn.ModuleList(nn.Conv2d(c, self.no * 3, 1) for c in ch)
        for m, s in zip(self.m, self.s):
            b = m.bias.view(3, -1)
            b.data[:, 4] += math.log(8 / (640 / s) ** 2); b.data[:, 5:] += math.log(0.6 / (nc - 0.99))
            m.bias = nn.Parameter(b.view(-1))
    def forward(self, x):
        z = []
        for i in range(3):
            x[i] = self.m[i](x[i]); b, _, h, w = x[i].shape
            x[i] = x[i].view(b, 3, self.no, h, w).permute(0, 1, 3, 4, 2).contiguous()
            yv, xv = torch.meshgrid(torch.arange(h).float(), torch.arange(w).float(), indexing="ij")
            grid = torch.stack((xv, yv), 2).view(1, 1, h, w, 2)
            y = x[i].sigmoid()
            y[..., 0:2] = (y[..., 0:2] * 2 - 0.5 + grid) * self.s[i]
            y[..., 2:4] = (y[..., 2:4] * 2) ** 2 * (self.anchors[i] * self.s[i]).view(1, 3, 1, 1, 2)
            z.append(y.view(b, -1, self.no))
        return torch.cat(z, 1) if self.decode else x

class Yolov5(nn.Module):
    def __init__(self, gd, gw, nc, decode=False):
        super().__init__()
        c = lambda x: math.ceil(x * gw / 8) * 8
        n = lambda x: max(round(x * gd), 1)
        up = lambda: nn.Upsample(None, 2, "nearest")
        self.model = nn.Sequential(
            Conv(3, c(64), 6, 2, 2), Conv(c(64), c(128), 3, 2), C3(c(128), c(128), n(3)), Conv(c(128), c(256), 3, 2), C3(c(256), c(256), n(6)),
            Conv(c(256), c(512), 3, 2), C3(c(512), c(512), n(9)), Conv(c(512), c(1024), 3, 2), C3(c(1024), c(1024), n(3)), SPPF(c(1024), c(1024)),
            Conv(c(1024), c(512)), up(), Cat(), C3(c(512) * 2, c(512), n(3), False), Conv(c(512), c(256)), up(), Cat(), C3(c(256) * 2, c(256), n(3), False),
            Conv(c(256), c(256), 3, 2), Cat(), C3(c(256) * 2, c(512), n(3), False), Conv(c(512), c(512), 3, 2), Cat(), C3(c(512) * 2, c(1024), n(3), False),
            Detect(nc, [c(256), c(512), c(1024)], decode))
    def forward(self, x):
        y = []; joined = {12: 6, 16: 4, 19: 14, 22: 10}
        for i, m in enumerate(self.model):
            x = m([x, y[joined[i]]] if i in joined else [y[17], y[20], y[23]] if i == 24 else x); y.append(x)
        return x

def statistics(m):
    """Running statistics other than 0 and 1, so that eval mode shows where they go."""
    for k, b in enumerate(m for m in m.modules() if isinstance(m, nn.BatchNorm2d)):
        b.running_mean += 0.01 * (k % 7); b.running_var *= 1 + 0.05 * (k % 5)

if __name__ == "__main__":
    case("resnet20", 20, lambda: ResNet(3), (2, 3, 32, 32), statistics)
    case("resnet20", 21, lambda: ResNet(3, 7, "B"), (1, 3, 32, 32), statistics, dict(classes=7, shortcut="B"))
    case("mobilenet_v2", 22, lambda: MobileNetV2(1000, 1.0), (1, 3, 32, 32), statistics)
    case("mobilenet_v2", 23, lambda: MobileNetV2(5, 0.35), (2, 3, 64, 64), statistics, dict(classes=5, widthMult=0.35))
    case("yolov5n", 24, lambda: Yolov5(0.33, 0.25, 3), (1, 3, 64, 64), statistics, dict(classes=3))
    case("yolov5n", 25, lambda: Yolov5(0.33, 0.25, 1, True), (1, 3, 64, 96), statistics, dict(classes=1, decode=True))
    case("yolov5m", 26, lambda: Yolov5(0.67, 0.75, 2), (1, 3, 32, 32), statistics, dict(classes=2))
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models.json")
    json.dump(dict(torch=torch.__version__, cases=CASES), open(out, "w"), indent=0)
    print([(c["name"], c["parameters"], c["modules"]) for c in CASES], os.path.getsize(out))
