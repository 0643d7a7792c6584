"""The experiments behind the models that we ship. An experiment picks components; it holds no mechanism of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from training.data.augment import Augmentation
from training.networks.labeler import HEADS, Labeler
from training.networks.whole_image import WholeImageNetwork
from training.stages.experiment import Experiment
from training.stages.losses import masked_cross_entropy
from training.stages.options import Initialisation
from training.stages.plan import Plan
from training.stages.samples import Targets

SPLIT = Path(__file__).with_name("splits") / "patients.csv"
"""Every patient of every set, made once by ``python -m training split``: no model that we ship has seen another one's test patients."""

ALL_FLIPS = Augmentation(rotation_degrees=20.0, zoom=0.15, horizontal_flip=True, vertical_flip=True)
"""A cancer is one in a mirror too."""


def build_labeler(initialisation: Initialisation) -> nn.Module:
    """The multi-head labeler on GoogLeNet: of the networks whose ImageNet weights can be had offline the fastest on a CPU."""
    return Labeler(initialisation.backbone or "googlenet", initialisation.weights, dropout=0.4)


def build_cancer(initialisation: Initialisation) -> nn.Module:
    """The all-convolutional network on GoogLeNet features."""
    return WholeImageNetwork(initialisation.backbone or "googlenet", weights=initialisation.weights)


def weight_known_density(targets: Targets) -> NDArray[np.float64]:
    """Half of the pictures have no density: the others are drawn more often."""
    return np.where(targets["density"] >= 0, 1.5, 1.0)


def as_published(features: str) -> dict[str, float]:
    """Rates that keep GoogLeNet's first layers: edges and blobs need no second training, and these hold half of the memory traffic."""
    return {f"{features}.conv1": 0.0, f"{features}.conv2": 0.0}


LABELER = Experiment(
    name="labeler",
    task="labeler",
    paper="served; after Yi et al. 2019",
    needs="rsna-bcd-640 and mini-MIAS; --weights with a file of GoogLeNet as published",
    datasets=("rsna-bcd-640", "mini-mias"),
    split=SPLIT,
    shape=(256, 160),
    recipe="breast-stretch@1",
    build=build_labeler,
    heads=HEADS,
    plans=(Plan(epochs=7, batch=32, rates={**as_published("features"), "features": 2e-4, "heads": 1e-3}, weight_decay=2e-2),),
    loss=partial(masked_cross_entropy, smoothing=0.05),
    sampling_weights=weight_known_density,
)
CANCER = Experiment(
    name="cancer",
    task="cancer",
    paper="served; after Shen et al. 2017",
    needs="rsna-bcd-640; --weights with a file of GoogLeNet as published, or an earlier run to continue from",
    datasets=("rsna-bcd-640",),
    split=SPLIT,
    shape=(448, 288),
    recipe="breast-stretch@1",
    build=build_cancer,
    heads={"cancer": ("malignant",)},
    plans=(
        Plan(
            epochs=8,
            batch=16,
            rates={**as_published("backbone"), "backbone": 1e-4, "top": 5e-4, "output": 5e-4},
            weight_decay=2e-2,
            augmentation=ALL_FLIPS,
        ),
    ),
    loss=masked_cross_entropy,
)
EXPERIMENTS = {experiment.name: experiment for experiment in (LABELER, CANCER)}
