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
from training.stages.experiment import Experiment, Start
from training.stages.losses import masked_cross_entropy
from training.stages.plan import Plan
from training.stages.samples import Targets

SPLIT = Path(__file__).with_name("splits") / "patients.csv"
"""Every patient of every set, made once by ``python -m training split``: no model that we ship has seen another one's test patients."""

ALL_FLIPS = Augmentation(rotation_degrees=20.0, zoom=0.15, horizontal_flip=True, vertical_flip=True)
"""A cancer is one in a mirror too."""


def build_labeler(start: Start) -> nn.Module:
    """The multi-head labeler on ResNet-18, which a CPU serves fast enough."""
    return Labeler(start.backbone or "resnet18", start.weights)


def build_cancer(start: Start) -> nn.Module:
    """The all-convolutional network on EfficientNet-Lite0 features."""
    return WholeImageNetwork(start.backbone or "efficientnet-lite0", imagenet=start.weights == "imagenet")


def draw_known_density(targets: Targets) -> NDArray[np.float64]:
    """Half of the pictures have no density: the others are drawn more often."""
    return np.where(targets["density"] >= 0, 1.5, 1.0)


LABELER = Experiment(
    name="labeler",
    task="labeler",
    paper="served; after Yi et al. 2019",
    needs="rsna-bcd-640 and mini-MIAS; ResNet-18 weights (the one that ships began with --weights random)",
    datasets=("rsna-bcd-640", "mini-mias"),
    split=SPLIT,
    shape=(256, 160),
    recipe="breast-stretch@1",
    build=build_labeler,
    heads=HEADS,
    plans=(Plan(epochs=22, batch=32, rates={"": 2e-3}, weight_decay=2e-2),),
    loss=partial(masked_cross_entropy, smoothing=0.05),
    draws=draw_known_density,
)
CANCER = Experiment(
    name="cancer",
    task="cancer",
    paper="served; after Shen et al. 2017",
    needs="rsna-bcd-640; EfficientNet-Lite0 weights of its package",
    datasets=("rsna-bcd-640",),
    split=SPLIT,
    shape=(448, 288),
    recipe="breast-stretch@1",
    build=build_cancer,
    heads={"cancer": ("malignant",)},
    plans=(
        Plan(epochs=6, batch=16, rates={"backbone": 4e-4, "top": 1e-3, "output": 1e-3}, weight_decay=2e-2, augmentation=ALL_FLIPS),
        Plan(
            epochs=3, batch=16, rates={"backbone": 2.5e-4, "top": 5e-4, "output": 5e-4}, weight_decay=2e-2, seed=1, augmentation=ALL_FLIPS
        ),
    ),
    loss=masked_cross_entropy,
)
EXPERIMENTS = {experiment.name: experiment for experiment in (LABELER, CANCER)}
