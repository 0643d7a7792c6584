"""The experiments behind the models that we ship. An experiment picks components; it holds no mechanism of its own."""

from __future__ import annotations

from pathlib import Path

from training.data.augment import Augmentation
from training.networks.labeler import HEADS, Labeler
from training.networks.whole_image import WholeImageNetwork
from training.stages.engine import Plan
from training.stages.experiment import Experiment

SPLIT = Path(__file__).with_name("splits") / "patients.csv"
"""Every patient of every set, made once by ``python -m training split``: no model that we ship has seen another one's test patients."""

ALL_FLIPS = Augmentation(rotation_degrees=20.0, zoom=0.15, horizontal_flip=True, vertical_flip=True)
"""A cancer is one in a mirror too."""

LABELER = Experiment(
    name="labeler",
    task="labeler",
    datasets=("rsna-bcd-640", "mini-mias"),
    split=SPLIT,
    shape=(256, 160),
    build=Labeler,
    heads=HEADS,
    plans=(Plan(epochs=22, batch=32, rates={"": 2e-3}, weight_decay=2e-2),),
)
CANCER = Experiment(
    name="cancer",
    task="cancer",
    datasets=("rsna-bcd-640",),
    split=SPLIT,
    shape=(448, 288),
    build=WholeImageNetwork,
    heads={"cancer": ("malignant",)},
    plans=(
        Plan(epochs=6, batch=16, rates={"backbone": 4e-4, "top": 1e-3, "output": 1e-3}, weight_decay=2e-2, augmentation=ALL_FLIPS),
        Plan(
            epochs=3, batch=16, rates={"backbone": 2.5e-4, "top": 5e-4, "output": 5e-4}, weight_decay=2e-2, seed=1, augmentation=ALL_FLIPS
        ),
    ),
)
EXPERIMENTS = {experiment.name: experiment for experiment in (LABELER, CANCER)}
