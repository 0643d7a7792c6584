"""From a plan to an optimiser: learning rates by part of the network, frozen parts, and how rates change over a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from training.stages.plan import Plan

SHORTEST_CYCLE = 5
"""Steps below which there is nothing to rise and fall over: the rate stays at its peak."""


def rate_of(name: str, rates: dict[str, float]) -> float:
    """The rate of the parameter `name`: that of the longest prefix which fits.

    Raises
    ------
    ValueError
        None fits.
    """
    return rates[_prefix(name, rates)]


@contextmanager
def freeze(network: nn.Module, rates: dict[str, float]) -> Iterator[None]:
    """While it lasts, parameters of rate 0 take no gradient; those that the network itself had frozen stay so afterwards."""
    held = [p for name, p in network.named_parameters() if p.requires_grad and rate_of(name, rates) == 0.0]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


def start_epoch(network: nn.Module, rates: dict[str, float], fixed: bool = False) -> None:
    """Training mode, except for the batch norm of frozen parts, which would drift otherwise; `fixed` keeps the statistics of every part."""
    network.train()
    for name, module in network.named_modules():
        if isinstance(module, _BatchNorm) and (fixed or rate_of(f"{name}.weight", rates) == 0.0):
            module.eval()


def make_optimiser(network: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    """One group of parameters for each prefix whose rate is not 0.

    Raises
    ------
    ValueError
        A prefix fits no parameter (a slip of the pen, or another backbone's name), or a parameter has no prefix. A prefix that is frozen
        may fit none: a plan can name the stem of one backbone and still train another.
    """
    names = [name for name, _ in network.named_parameters()]
    for prefix, rate in plan.rates.items():
        if rate > 0 and not any(name.startswith(prefix) for name in names):
            parts = ", ".join(sorted({name.partition(".")[0] for name in names}))
            raise ValueError(f"the plan has a rate for {prefix!r}, and no parameter's name begins so; the network's parts: {parts}")
    groups = []
    for prefix, rate in plan.rates.items():
        chosen = [p for name, p in network.named_parameters() if p.requires_grad and _prefix(name, plan.rates) == prefix]
        if chosen and rate > 0:
            groups.append({"params": chosen, "lr": rate})
    if plan.optimiser == "sgd":
        return torch.optim.SGD(groups, momentum=plan.momentum, weight_decay=plan.weight_decay)
    kind = torch.optim.Adam if plan.optimiser == "adam" else torch.optim.AdamW
    return kind(groups, weight_decay=plan.weight_decay)


def make_schedule(optimiser: torch.optim.Optimizer, plan: Plan, steps_an_epoch: int) -> LRScheduler:
    """Rates as the plan says; to be stepped after every step of the optimiser."""
    steps = plan.epochs * steps_an_epoch
    if plan.schedule == "one-cycle" and steps >= SHORTEST_CYCLE:
        peaks = [float(group["lr"]) for group in optimiser.param_groups]
        # torch divides by the length of the rise less one step.
        return OneCycleLR(optimiser, peaks, total_steps=steps, pct_start=max(plan.warm_fraction, 1.5 / steps))

    def factor(step: int) -> float:
        if plan.schedule == "step":
            return float(plan.step_factor ** (step // steps_an_epoch // plan.step_epochs))
        if plan.schedule == "cosine":
            rise = plan.warm_fraction * steps
            return (step + 1) / (rise + 1) if step < rise else 0.5 * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1)))
        return 1.0

    return LambdaLR(optimiser, factor)


def _prefix(name: str, rates: dict[str, float]) -> str:
    fitting = [prefix for prefix in rates if name.startswith(prefix)]
    if not fitting:
        raise ValueError(f"the plan has no rate for the parameter {name!r}: give one for it, or one for all under the empty prefix")
    return max(fitting, key=len)
