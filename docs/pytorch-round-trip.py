"""Takes what secateur wrote into PyTorch, checks it there, trains a little, and writes a state dict that secateur reads again.

Masks, as torch.nn.utils.prune has them:

    secateur prune resnet20 --weights resnet20.th -o masked.pt --amount 0.5 --global
    python pytorch-round-trip.py masks masked.pt --model resnet20 -o trained.pt
    secateur evaluate resnet20 --weights trained.pt --data cifar10/

A smaller architecture, cut by secateur or here by its plan:

    secateur shrink resnet20 --weights resnet20.th -o small.onnx --ratio 0.3 --plan plan.json
    secateur apply plan.json resnet20.th -o small.pt
    python pytorch-round-trip.py smaller small.pt --plan plan.json --model resnet20 --onnx small.onnx -o trained.pt
    python pytorch-round-trip.py cut resnet20.th --plan plan.json --model resnet20 --onnx small.onnx -o trained.pt

Needs torch; --onnx also onnx. The functions `load_masked`, `cut` and `fit_to` are for any network; the two networks here are those that secateur
calls lenet5 and resnet20 to resnet110. Training is a few steps on noise: put your own in its place.
"""

import argparse
import json

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune


def load_masked(model, state):
    """Prunes the parameters that have a mask in the state dict, and loads it all."""
    for name, mask in state.items():
        if name.endswith("_mask"):
            path, _, parameter = name.removesuffix("_mask").rpartition(".")
            prune.custom_from_mask(model.get_submodule(path), parameter, mask)
    model.load_state_dict(state)


def remove_masks(model):
    """Makes masks permanent: `weight_orig` times `weight_mask` becomes `weight`."""
    for module in model.modules():
        for parameter in [hook._tensor_name for hook in module._forward_pre_hooks.values() if isinstance(hook, prune.BasePruningMethod)]:
            prune.remove(module, parameter)


def removed(plan):
    """What a plan takes of each tensor: the indices along each of its axes."""
    gone = {}
    for group in plan["groups"]:
        for member in group["members"]:
            if "parts" in member:
                raise SystemExit(f"{member['parameter']}: each group of a grouped convolution loses inputs of its own; use `secateur apply`")
            axis = 1 - member["axis"] if member.get("transposed") else member["axis"]
            gone.setdefault((member["parameter"], axis), set()).update(member["remove"])
    return gone


def cut(state, plan):
    """The state dict without what the plan removes, as `secateur apply` cuts it."""
    state = dict(state)
    for (name, axis), indices in removed(plan).items():
        if name in state:
            kept = [i for i in range(state[name].shape[axis]) if i not in indices]
            state[name] = state[name].index_select(axis, torch.tensor(kept))
    return state


def fit_to(model, state):
    """Makes the layers of a model as large as the tensors of a state dict are, and loads it."""
    for path, module in model.named_modules():
        shape = state[f"{path}.weight"].shape if f"{path}.weight" in state else None
        if isinstance(module, nn.Conv2d):
            depthwise = module.groups > 1 and module.groups == module.in_channels
            module.groups = shape[0] if depthwise else module.groups
            module.out_channels, module.in_channels = shape[0], shape[1] * module.groups
        elif isinstance(module, nn.Linear):
            module.out_features, module.in_features = shape
        elif isinstance(module, nn.BatchNorm2d):
            module.num_features = shape[0]
        for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            if f"{path}.{name}" in state:
                tensor.data = torch.empty_like(state[f"{path}.{name}"])
    model.load_state_dict(state)


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 16, 3)
        self.fc1, self.fc2, self.fc3 = nn.Linear(16 * 6 * 6, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.stride = stride
        # Option A: channels of zeros before and behind those that come in.
        self.added = ((outputs - inputs) // 2, (outputs - inputs) // 2)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, *self.added))
        return F.relu(y + x)


class ResNet(nn.Module):
    """He et al. 2016, section 4.2: 6 n + 2 layers for CIFAR-10."""

    def __init__(self, depth):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        inputs = 16
        for stage, outputs in enumerate([16, 32, 64], 1):
            blocks = []
            for index in range((depth - 2) // 6):
                blocks.append(Block(inputs, outputs, 2 if stage > 1 and index == 0 else 1))
                inputs = outputs
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))

    def cut_shortcuts(self, plan):
        """Tells each shortcut how many of the channels it adds are left: they have no tensor that would say so."""
        gone = removed(plan)
        for stage in ("layer2", "layer3"):
            block = getattr(self, stage)[0]
            before, behind = block.added
            width = block.bn2.num_features
            lost = gone.get((f"{stage}.0.bn2.weight", 0), set())
            block.added = (
                before - sum(i < before for i in lost),
                behind - sum(i >= width - behind for i in lost),
            )


def network(name):
    """A network by secateur's name, and the shape of one input."""
    if name == "lenet5":
        return LeNet5(), (1, 32, 32)
    return ResNet(int(name.removeprefix("resnet"))), (3, 32, 32)


def read(path):
    state = torch.load(path, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state)
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def compare(model, path, shape):
    """Outputs beside those of the ONNX file, as the reference implementation of ONNX computes them."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    session = ReferenceEvaluator(onnx.load(path))
    image = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    expected = torch.from_numpy(session.run(None, {session.input_names[0]: image.numpy()})[0])
    with torch.no_grad():
        difference = (model.eval()(image) - expected).abs().max().item()
    print(f"outputs             differ from {path} by at most {difference:.1e}, the largest is {expected.abs().max():.1f}")
    if difference > 1e-4 * expected.abs().max():
        raise SystemExit("these are not the same network")


def train(model, shape, steps=3):
    """Stands for your own training."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
    model.train()
    for _ in range(steps):
        loss = F.cross_entropy(model(torch.randn(16, *shape)), torch.randint(10, (16,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def zeros(model):
    return sum((parameter == 0).sum().item() for name, parameter in model.state_dict().items() if name.endswith("weight"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["masks", "smaller", "cut"])
    parser.add_argument("state", help="state dict (.pt, .pth or .th)")
    parser.add_argument("--model", required=True, choices=["lenet5", *(f"resnet{depth}" for depth in (20, 32, 44, 56, 110))])
    parser.add_argument("--plan", help="plan of `secateur shrink` (smaller, cut)")
    parser.add_argument("--onnx", help="ONNX file that must compute the same")
    parser.add_argument("-o", "--output", required=True, help="state dict to write, .pt")
    options = parser.parse_args()
    if options.what != "masks" and options.plan is None:
        parser.error(f"{options.what} needs --plan")

    torch.manual_seed(0)
    model, shape = network(options.model)
    state = read(options.state)
    if options.what == "masks":
        load_masked(model, state)
        pruned = sum((mask == 0).sum().item() for name, mask in state.items() if name.endswith("_mask"))
        print(f"masks               {sum(name.endswith('_mask') for name in state)}, {pruned:,} weights pruned")
    else:
        with open(options.plan) as file:
            plan = json.load(file)
        if isinstance(model, ResNet):
            model.cut_shortcuts(plan)
        before = sum(parameter.numel() for parameter in model.parameters())
        fit_to(model, cut(state, plan) if options.what == "cut" else state)
        print(f"parameters          {before:,} -> {sum(parameter.numel() for parameter in model.parameters()):,}")
    if options.onnx:
        compare(model, options.onnx, shape)
    train(model, shape)
    remove_masks(model)
    if options.what == "masks":
        left = zeros(model)
        print(f"after training      {left:,} weights are zero")
        if left < pruned:
            raise SystemExit("pruned weights came back")
    torch.save(model.state_dict(), options.output)
    print(f"wrote               {options.output}")


if __name__ == "__main__":
    main()
