"""Benign or malignant masses (Levy & Jain 2016): three networks, two contexts, with and without augmentation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from torch import nn

from training.data.augment import MASSES, NONE
from training.data.masses import Context, build_patches, find_masses
from training.errors import ClassEmpty
from training.networks.imagenet import RANDOM, fill
from training.networks.mass_patches import HEADS, SIDE, AlexNet, BaselineCnn, MassGoogLeNet
from training.stages.checkpoint import read_network
from training.stages.experiment import Experiment
from training.stages.gathering import SampleRequest
from training.stages.options import Initialisation
from training.stages.plan import Optimiser, Plan
from training.stages.samples import Samples

BATCH = 64
"""Levy & Jain 2016, 4.1, for the baseline; for the other two the paper does not say."""


@dataclass(frozen=True)
class Design:
    """One network and how the paper trains it.

    Parameters
    ----------
    build
        From the weights and the backbone that the user chose to the network.
    epochs
        Table 3.
    rates
        Base rate times the multipliers of 4.2, by prefix of the parameters' names.
    needs
        Weights, in words.
    """

    build: Callable[[str, str | None], nn.Module]
    epochs: int
    optimiser: Optimiser
    rates: dict[str, float]
    needs: str


def _baseline(weights: str, backbone: str | None) -> nn.Module:
    return BaselineCnn()


def _alexnet(weights: str, backbone: str | None) -> nn.Module:
    return AlexNet(weights)


def _googlenet(weights: str, backbone: str | None) -> nn.Module:
    return MassGoogLeNet(backbone or "googlenet", weights)


ADAM, SGD = 1e-3, 1e-2
"""Base rates: Adam for the baseline and AlexNet, "vanilla" SGD for GoogLeNet (4.1, 4.2)."""

NETWORKS = {
    "baseline": Design(_baseline, 35, "adam", {"": ADAM}, "no weights: starts at random (Xavier)"),
    "alexnet": Design(_alexnet, 30, "adam", {"features": 0.1 * ADAM, "top": ADAM}, "AlexNet ImageNet weights"),
    "googlenet": Design(
        _googlenet,
        30,
        "sgd",
        {"features": 0.1 * SGD, "features.inception5a": SGD, "features.inception5b": SGD, "output": 10 * SGD},
        "--weights with a file of GoogLeNet as published, or --backbone googlenet-bn (torchvision's download)",
    ),
}
"""The multiplier 0.1 is for what comes before inception 5a, 1 for 5a and 5b, 10 for the last layer; AlexNet: 0.1 for convolutions."""


def build(network: str, initialisation: Initialisation) -> nn.Module:
    """The network of a design; from published weights, a file, or a run of another experiment of the same network."""
    place = Path(initialisation.weights)
    if not (place.is_dir() or place.suffix == ".pt"):
        return NETWORKS[network].build(initialisation.weights, initialisation.backbone)
    made = NETWORKS[network].build(RANDOM, initialisation.backbone)
    fill(made, read_network(place))
    return made


def gather(context: Context, augmented: bool, request: SampleRequest) -> Samples:
    """A sample for each mass; training masses 25 times, turned and cropped, where `augmented`.

    Raises
    ------
    ClassEmpty
        The data sets have no outlined mass of known pathology.
    """
    masses = find_masses(request.read_rows())
    if not masses:
        raise ClassEmpty(f"{', '.join(request.datasets)} has no outlined mass of known pathology: name a set with regions of masses")
    samples = [mass.sample for mass in masses]
    parts = request.parts(samples)
    copied = [augmented and part == "train" for part in parts]
    patches = build_patches(masses, copied, context, request.shape, request.cache)
    rows = [samples[index] for index in patches.masses]
    truth = np.array([int(bool(row.malignant)) for row in rows], np.int64)
    (head,) = request.heads
    return Samples(rows, patches.pixels, parts[patches.masses], {head: truth})


def mass_experiment(network: Literal["baseline", "alexnet", "googlenet"], context: Context, augmented: bool) -> Experiment:
    """One row of the paper: a network, a context, with or without augmentation."""
    design = NETWORKS[network]
    plan = Plan(
        epochs=design.epochs,
        batch=BATCH,
        rates=design.rates,
        optimiser=design.optimiser,
        momentum=0.0,
        weight_decay=0.0,
        schedule="constant",
        clip=0.0,
        augmentation=MASSES if augmented else NONE,
    )
    return Experiment(
        name=f"mass-{network}-{context}-{'aug' if augmented else 'noaug'}",
        task="mass-patch",
        paper=f"Levy & Jain 2016, Tables 1 to 3: {network}, {context} context, {'augmented' if augmented else 'no augmentation'}",
        needs=f"a set with regions of masses (CBIS-DDSM, mini-MIAS); {design.needs}",
        datasets=("cbis-ddsm",),
        shape=(SIDE, SIDE),
        recipe="patch-stretch@1",
        heads=HEADS,
        plans=(plan,),
        build=partial(build, network),
        gather=partial(gather, context, augmented),
        split="80/10/10-balanced",
    )


EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        mass_experiment(network, context, augmented)  # type: ignore[arg-type]  # the keys are the literals
        for network, context, augmented in product(NETWORKS, get_args(Context), (True, False))
    )
}
"""Twelve rows: three networks, two contexts, with and without augmentation."""
