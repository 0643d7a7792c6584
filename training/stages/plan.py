"""How to train: everything that the papers vary between their runs, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from training.data.augment import Augmentation
from training.stages.options import Precision

Optimiser = Literal["adamw", "adam", "sgd"]
Schedule = Literal["one-cycle", "constant", "step", "cosine"]


@dataclass(frozen=True)
class Plan:
    """One stage of training.

    Parameters
    ----------
    epochs
        Times that as many samples are drawn as there are.
    batch
        Samples of one forward pass, over all devices together: a second device makes a run faster, not different.
    rates
        Peak learning rate by prefix of the parameters' names; the longest prefix that fits counts, ``""`` fits all. 0.0 freezes:
        those parameters, and the batch-norm statistics beside them, stay as they are.
    optimiser, momentum, weight_decay
        ``momentum`` is used by ``sgd`` alone.
    schedule
        ``one-cycle`` and ``cosine`` rise for `warm_fraction` of the steps and fall to the end; ``step`` multiplies by `step_factor`
        after every `step_epochs` epochs; ``constant`` stays.
    accumulate
        Batches whose gradients are averaged before each step.
    patience
        Stop after this many epochs without a better value on the validation part, and go back to the best; 0 never stops.
    deterministic
        Only algorithms that give the same bits on every run of the same machine, at some cost of speed on a GPU.
    precision
        ``bf16`` computes convolutions in half the bits on CPU and GPU alike; weights, sums and the loss stay fp32.
    average
        Decay of the exponential moving average of the weights, after every step of the optimiser: it is what is measured and kept as the
        trained network. 0 keeps the weights of the last step.
    fixed_statistics
        Batch norm keeps the statistics that the network starts with: for small batches, and for networks that come from a graph in which
        they are folded into the convolutions.
    clip
        Largest norm of the gradient; 0 leaves it alone.
    """

    epochs: int
    batch: int
    rates: dict[str, float]
    optimiser: Optimiser = "adamw"
    momentum: float = 0.9
    weight_decay: float = 1e-2
    schedule: Schedule = "one-cycle"
    step_epochs: int = 1
    step_factor: float = 0.1
    warm_fraction: float = 0.2
    accumulate: int = 1
    patience: int = 0
    seed: int = 0
    deterministic: bool = False
    precision: Precision = "bf16"
    average: float = 0.0
    fixed_statistics: bool = False
    clip: float = 5.0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        least = {"epochs": 1, "batch": 1, "step_epochs": 1, "accumulate": 1, "patience": 0}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be {bound} or more")
        if not any(rate > 0 for rate in self.rates.values()):
            raise ValueError(f"every rate of {self.rates} is 0: nothing would be trained")


def scale_rates(plan: Plan, factor: float) -> Plan:
    """The stage with every learning rate multiplied, frozen parameters staying frozen.

    Raises
    ------
    ValueError
        The factor is not above 0.
    """
    if factor <= 0:
        raise ValueError(f"rates times {factor}: the factor must be above 0")
    return replace(plan, rates={prefix: rate * factor for prefix, rate in plan.rates.items()})


def share_epochs(plans: tuple[Plan, ...], epochs: int) -> tuple[Plan, ...]:
    """The stages with `epochs` in all, shared as the paper shared its own and at least one each; steps of the rate shrink alike."""
    whole = sum(plan.epochs for plan in plans)
    shared = []
    for plan in plans:
        own = max(1, round(plan.epochs * epochs / whole))
        shared.append(replace(plan, epochs=own, step_epochs=max(1, round(plan.step_epochs * own / plan.epochs))))
    return tuple(shared)
