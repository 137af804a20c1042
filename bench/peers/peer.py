"""Times PyTorch's pruning and thop's profile on demand, so that both sides are measured in turn in one run.

    python peer.py        reads one JSON command a line, answers one JSON line {"seconds": ...}

Commands: {"do": "hello"}, {"do": "prune", "model": "s", "fn": "global_l1" | "layer_l1" | "ln_structured", "amount": 0.3},
{"do": "thop", "model": "s", "classes": 3}. Needs torch; thop where it is to be timed (pip install thop, or its folder in PYTHONPATH).
"""
import copy, json, sys, time
import torch
import torch.nn.utils.prune as prune
from yolov5 import Yolov5

networks = {}


def network(size, classes=80):
    key = size, classes
    if key not in networks:
        torch.manual_seed(0)
        networks[key] = Yolov5(size, classes).eval()
    return networks[key]


def time_prune(size, fn, amount):
    model = copy.deepcopy(network(size))
    convs = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    begin = time.perf_counter()
    if fn == "global_l1":
        prune.global_unstructured([(m, "weight") for m in convs], prune.L1Unstructured, amount=amount)
    for m in convs:
        if fn == "layer_l1":
            prune.l1_unstructured(m, "weight", amount=amount)
        elif fn == "ln_structured":
            prune.ln_structured(m, "weight", amount=amount, n=2, dim=0)
    return time.perf_counter() - begin


def time_thop(size, classes):
    import thop
    model, x = copy.deepcopy(network(size, classes)), torch.zeros(1, 3, 640, 640)
    begin = time.perf_counter()
    with torch.no_grad():
        macs, parameters = thop.profile(model, inputs=(x,), verbose=False)
    return time.perf_counter() - begin, macs


for line in sys.stdin:
    command = json.loads(line)
    try:
        if command["do"] == "hello":
            try:
                import thop
                version = thop.__version__
            except ImportError:
                version = None
            answer = {"torch": torch.__version__, "threads": torch.get_num_threads(), "thop": version}
        elif command["do"] == "prune":
            answer = {"seconds": time_prune(command["model"], command["fn"], command["amount"])}
        else:
            seconds, macs = time_thop(command["model"], command["classes"])
            answer = {"seconds": seconds, "macs": macs}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
