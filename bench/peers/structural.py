"""Times Torch-Pruning on demand, so that both sides are measured in turn in one run.

    python structural.py        reads one JSON command a line, answers one JSON line

Commands: {"do": "hello"}, {"do": "shrink", "model": "yolov5s" | "resnet50" | "densenet121" | "vit_b", "ratio": 0.5}. Needs torch and torch_pruning (pip install torch-pruning, or its folder in PYTHONPATH).
Times coupling (the tracing of the graph included: the network is in memory), ranking by group L2 magnitude and the cut; making a copy of the network is not counted.
"""
import copy, json, sys, time
import torch
from networks import NETWORKS
from yolov5 import Yolov5

networks = {}


def network(name):
    if name not in networks:
        torch.manual_seed(0)
        if name == "yolov5s":
            networks[name] = Yolov5("s", 80).eval()
        else:
            networks[name] = NETWORKS[name]().eval()
    return networks[name]


def shrink(name, ratio):
    import torch_pruning as tp
    model = copy.deepcopy(network(name))
    size = 640 if name == "yolov5s" else 224
    x = torch.zeros(1, 3, size, size)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    ignored = [m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and m.out_features == 1000]
    if name == "yolov5s":
        ignored = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d) and m.out_channels == 255]
    heads = {m: m.num_heads for m in model.modules() if isinstance(m, torch.nn.MultiheadAttention)}
    begin = time.perf_counter()
    pruner = tp.pruner.BasePruner(model, x, importance=tp.importance.GroupMagnitudeImportance(p=2), pruning_ratio=ratio, ignored_layers=ignored, num_heads=heads)
    pruner.step()
    seconds = time.perf_counter() - begin
    macs, parameters = tp.utils.count_ops_and_params(model, x)
    return {"seconds": seconds, "macs": macs, "parameters": parameters}


for line in sys.stdin:
    command = json.loads(line)
    try:
        if command["do"] == "hello":
            import torch_pruning
            answer = {"torch": torch.__version__, "threads": torch.get_num_threads(), "torch_pruning": getattr(torch_pruning, "__version__", "1.6.1")}
        else:
            answer = shrink(command["model"], command["ratio"])
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
