"""Learning rates by PyTorch, for src/train/schedules/schedules.test.ts.

    python3 make-schedules.py > ../../src/train/schedules/testdata/schedules.json

Each case: the schedule and its arguments as scheduleByName takes them, the groups of the optimizer, metrics for plateaus, and the
learning rates (and momentums, where they are cycled) of each group, before the first step and after each. Functions of LambdaLR and
MultiplicativeLR are given by their names in LAMBDAS.
"""
import json
import sys
import warnings

import torch
from torch.optim import lr_scheduler

warnings.filterwarnings("ignore")
LAMBDAS = {"decay": lambda step: 0.95**step, "ramp": lambda step: (step + 1) / 10}
ONE = [0.05]
TWO = [0.1, 0.003]
cases = []


def build(scheduler, optimizer, args):
    args = dict(args)
    if "lr_lambda" in args:
        args["lr_lambda"] = [LAMBDAS[name] for name in args["lr_lambda"]]
    if "schedulers" in args:
        args["schedulers"] = [build(s["scheduler"], optimizer, s["args"]) for s in args["schedulers"]]
    if scheduler == "ChainedScheduler":
        return lr_scheduler.ChainedScheduler(args["schedulers"], optimizer)
    return getattr(lr_scheduler, scheduler)(optimizer, **args)


def case(scheduler, args=None, lrs=ONE, steps=12, optimizer="SGD", metrics=None):
    args = args or {}
    groups = [dict(params=[torch.nn.Parameter(torch.zeros(1))], lr=lr) for lr in lrs]
    options = dict(momentum=0.9) if optimizer == "SGD" else dict(betas=(0.9, 0.99))
    opt = getattr(torch.optim, optimizer)(groups, lr=0.1, **options)
    schedule = build(scheduler, opt, args)
    momentum = lambda: [g["momentum"] if optimizer == "SGD" else g["betas"][0] for g in opt.param_groups]
    got, momentums = [[g["lr"] for g in opt.param_groups]], [momentum()]
    for step in range(steps if metrics is None else len(metrics)):
        opt.step()
        schedule.step() if metrics is None else schedule.step(metrics[step])
        assert [float(lr) for lr in schedule.get_last_lr()] == [g["lr"] for g in opt.param_groups]
        got.append([g["lr"] for g in opt.param_groups])
        momentums.append(momentum())
    result = dict(scheduler=scheduler, args=args, base=lrs, optimizer=optimizer, lrs=got)
    if metrics is not None:
        result["metrics"] = metrics
    if scheduler == "OneCycleLR":
        result["momentums"] = momentums
    cases.append(result)


def sub(scheduler, **args):
    return dict(scheduler=scheduler, args=args)


case("StepLR", dict(step_size=3))
case("StepLR", dict(step_size=2, gamma=0.5), TWO)
case("MultiStepLR", dict(milestones=[2, 5, 5, 9]))
case("MultiStepLR", dict(milestones=[7, 3], gamma=0.3), TWO)
case("ConstantLR")
case("ConstantLR", dict(factor=0.5, total_iters=3), TWO)
case("LinearLR")
case("LinearLR", dict(start_factor=0.01, end_factor=0.7, total_iters=8), TWO)
case("LinearLR", dict(start_factor=1, end_factor=0, total_iters=4))
case("ExponentialLR", dict(gamma=0.9), TWO)
case("PolynomialLR")
case("PolynomialLR", dict(total_iters=10, power=2.5), TWO)
case("CosineAnnealingLR", dict(T_max=5), steps=23)
case("CosineAnnealingLR", dict(T_max=8, eta_min=1e-3), TWO, steps=30)
case("CosineAnnealingLR", dict(T_max=50), steps=50)
case("CosineAnnealingWarmRestarts", dict(T_0=4))
case("CosineAnnealingWarmRestarts", dict(T_0=2, T_mult=2, eta_min=1e-4), TWO, steps=20)
case("OneCycleLR", dict(max_lr=0.1, total_steps=10), steps=10)
case("OneCycleLR", dict(max_lr=[0.1, 0.02], epochs=4, steps_per_epoch=5, anneal_strategy="linear"), TWO, steps=19)
case("OneCycleLR", dict(max_lr=0.1, total_steps=20, three_phase=True, pct_start=0.4), steps=19)
case(
    "OneCycleLR",
    dict(max_lr=0.1, total_steps=12, div_factor=10.0, final_div_factor=100.0, base_momentum=0.7, max_momentum=0.99),
    optimizer="Adam",
    steps=11,
)
case("OneCycleLR", dict(max_lr=0.1, total_steps=8, cycle_momentum=False, pct_start=0.0), steps=7)
case("LambdaLR", dict(lr_lambda=["decay", "ramp"]), TWO)
case("MultiplicativeLR", dict(lr_lambda=["decay", "ramp"]), TWO)
falling = [1, 0.9, 0.9, 0.9, 0.9, 0.85, 0.85, 0.85, 0.85, 0.85, 0.85, 0.85, 0.85, 0.85]
case("ReduceLROnPlateau", dict(patience=1), metrics=falling)
case("ReduceLROnPlateau", dict(patience=0, cooldown=2, factor=0.5, min_lr=[0.02, 1e-3]), TWO, metrics=falling)
case("ReduceLROnPlateau", dict(mode="max", patience=1, threshold=0.05, threshold_mode="abs"), metrics=falling)
case("ReduceLROnPlateau", dict(mode="max", patience=2, threshold=0.2), metrics=[0.1 * i for i in range(14)])
case("ReduceLROnPlateau", dict(patience=0, threshold_mode="abs", eps=0.01), metrics=falling)
case("SequentialLR", dict(schedulers=[sub("LinearLR", start_factor=0.1, total_iters=4), sub("CosineAnnealingLR", T_max=10)], milestones=[4]), TWO, steps=16)
case("SequentialLR", dict(schedulers=[sub("ConstantLR", factor=0.1, total_iters=2), sub("ExponentialLR", gamma=0.9), sub("StepLR", step_size=2)], milestones=[2, 6]), steps=12)
case("SequentialLR", dict(schedulers=[sub("PolynomialLR", total_iters=4), sub("MultiStepLR", milestones=[2]), sub("CosineAnnealingWarmRestarts", T_0=3)], milestones=[3, 7]), steps=14)
case("SequentialLR", dict(schedulers=[sub("StepLR", step_size=2), sub("LinearLR"), sub("ConstantLR"), sub("PolynomialLR")], milestones=[3, 6, 9]), steps=15)
case("ChainedScheduler", dict(schedulers=[sub("ConstantLR", factor=0.1, total_iters=4), sub("ExponentialLR", gamma=0.9)]), TWO)
case("ChainedScheduler", dict(schedulers=[sub("LinearLR"), sub("CosineAnnealingLR", T_max=9), sub("StepLR", step_size=3)]))
case("SequentialLR", dict(schedulers=[sub("ChainedScheduler", schedulers=[sub("LinearLR"), sub("StepLR", step_size=2)]), sub("ExponentialLR", gamma=0.8)], milestones=[5]))

json.dump(dict(torch=torch.__version__, cases=cases), sys.stdout)
print()
