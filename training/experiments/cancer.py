"""Cancer by image on RSNA-2022 and INbreast: a light trunk, trained long, with everything that the sets say beside the cancer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import nn

from training.data.augment import Augmentation
from training.data.table import Row
from training.experiments.zoo import SPLIT
from training.networks.whole_image import WholeImageNetwork
from training.stages.experiment import Experiment
from training.stages.gathering import SampleRequest, gather_images
from training.stages.losses import masked_cross_entropy
from training.stages.options import Initialisation
from training.stages.plan import Plan
from training.stages.samples import Samples, Targets

AUXILIARY = {"invasive": 1, "recalled": 1, "density": 4, "age": 4}
"""Heads that learn beside the cancer's, and their outputs."""

AGES = (50.0, 60.0, 70.0)
"""Years at which the age head's classes part."""

FLIPS = Augmentation(rotation_degrees=20.0, zoom=0.15, horizontal_flip=True, vertical_flip=True)
"""A cancer is one in a mirror too."""


def build(initialisation: Initialisation) -> nn.Module:
    """MobileNetV2 with a linear output on generalised-mean features."""
    return WholeImageNetwork(
        initialisation.backbone or "mobilenet-v2", weights=initialisation.weights, top=(), pooling="gem", auxiliary=AUXILIARY, dropout=0.3
    )


def gather(request: SampleRequest) -> Samples:
    """Whole images with the auxiliary labels; pictures with implants are left out of training.

    ``stratum`` is no head: machine and set, by which `weight_within_machines` balances.
    """
    samples = gather_images(request)
    machines = sorted({(row.dataset, row.manufacturer) for row in samples.rows})
    stratum = np.array([machines.index((row.dataset, row.manufacturer)) for row in samples.rows], np.int64)
    known = {name: np.array([auxiliary_targets(row)[name] for row in samples.rows], np.int64) for name in AUXILIARY}
    unlabelled = np.array([bool(row.implant) or row.malignant is None for row in samples.rows])
    parts = np.where(unlabelled & (samples.parts == "train"), "unused", samples.parts)
    return replace(samples, parts=parts, targets={**samples.targets, **known, "stratum": stratum})


def weight_within_machines(targets: Targets, floor: float = 0.25) -> NDArray[np.float64]:
    """As many cancers as others from each machine, each machine as often as it has images: the machine must not tell the class.

    Parameters
    ----------
    floor
        Least share of a class on one machine that is made up for: three cancers must not be drawn fifty times each.
    """
    answer = np.zeros(len(targets["cancer"]))
    for machine in np.unique(targets["stratum"]):
        own = targets["stratum"] == machine
        for ill in (0, 1):
            cell = own & (targets["cancer"] == ill)
            if cell.any():
                answer[cell] = 0.5 / max(cell.sum() / own.sum(), floor)
    return answer


def auxiliary_targets(row: Row) -> dict[str, int]:
    """Class of each of `AUXILIARY`, -1 where the set does not say."""
    return {
        "invasive": -1 if row.invasive is None else int(row.invasive),
        "recalled": -1 if row.birads in (None, 3) else int(row.birads not in (1, 2)),
        "density": -1 if row.density is None else "ABCD".index(row.density),
        "age": -1 if row.age is None else sum(row.age >= bound for bound in AGES),
    }


CANCER_MOBILENET = Experiment(
    name="cancer-mobilenet",
    task="cancer",
    paper="served; after Shen et al. 2017",
    needs="rsna-bcd-640 and INbreast; --weights with a file of MobileNetV2",
    datasets=("rsna-bcd-640", "inbreast"),
    split=SPLIT,
    shape=(512, 288),
    recipe="breast-fit@1",
    build=build,
    gather=gather,
    heads={"cancer": ("malignant",)},
    plans=(
        Plan(
            epochs=14,
            batch=16,
            rates={"backbone": 3e-4, "": 1e-3},
            weight_decay=2e-2,
            average=0.995,
            augmentation=FLIPS,
        ),
    ),
    loss=partial(masked_cross_entropy, smoothing=0.1, shares={"invasive": 0.2, "recalled": 0.2, "density": 0.15, "age": 0.15}),
    sampling_weights=weight_within_machines,
)
EXPERIMENTS = {CANCER_MOBILENET.name: CANCER_MOBILENET}
