"""The labeler that ships, trained on from its published graph on every set that has labels, with a head that refuses other pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.augment import Augmentation
from training.experiments.zoo import SPLIT
from training.networks.graph_weights import fill_from_graph
from training.networks.imagenet import RANDOM
from training.networks.labeler import HEADS, Labeler
from training.stages.experiment import Experiment
from training.stages.gathering import SampleRequest, gather_images
from training.stages.losses import Loss, among, masked_cross_entropy, ordinal
from training.stages.options import Initialisation
from training.stages.plan import Plan
from training.stages.samples import Samples, Targets

MAMMOGRAM = "mammogram"
ALL_HEADS = {**HEADS, MAMMOGRAM: ("other", "mammogram")}

TISSUES = "FGD"
ALLOWED = ((True, True, False, False), (False, True, True, False), (False, False, True, True))
"""Which BI-RADS densities each tissue class of mini-MIAS leaves open: fatty A or B, fatty-glandular B or C, dense-glandular C or D."""

SET_WEIGHTS = {"rsna-bcd-640": 1.0, "inbreast": 2.0, "mini-mias": 1.5, "ddsm-small": 0.8, "not-mammograms": 4.0, "phantoms": 4.0}
"""How often a picture of each set is drawn: small sets more often."""

AUGMENTATION = Augmentation(rotation_degrees=12.0, zoom=0.15, shrink=0.9, invert=0.02, gamma=0.35, contrast=0.25)
"""No flips: the side is a label (Yi et al. 2019, Results)."""


def build(initialisation: Initialisation) -> Labeler:
    """ResNet-18 with four heads; from a published labeler where the weights name its ``.onnx``; 1.0.0 has three of the heads."""
    place = Path(initialisation.weights)
    from_graph = place.suffix == ".onnx"
    network = Labeler(initialisation.backbone or "resnet18", RANDOM if from_graph else initialisation.weights, ALL_HEADS, dropout=0.3)
    if from_graph:
        fill_from_graph(network, place, may_lack=(f"heads.{MAMMOGRAM}.",))
    return network


def gather(request: SampleRequest) -> Samples:
    """Whole images. ``tissue`` and ``set`` are no heads: the loss and the sampling weights read them."""
    samples = gather_images(request)
    tissue = np.array([-1 if row.tissue is None else TISSUES.index(row.tissue) for row in samples.rows], np.int64)
    names = list(SET_WEIGHTS)
    sets = np.array([names.index(row.dataset) for row in samples.rows], np.int64)
    return Samples(samples.rows, samples.crops, samples.parts, {**samples.targets, "tissue": tissue, "set": sets})


def weight_by_set(targets: Targets) -> NDArray[np.float64]:
    """`SET_WEIGHTS`, and pictures with a density half as often again."""
    return np.array(list(SET_WEIGHTS.values()))[targets["set"]] * np.where(targets["density"] >= 0, 1.5, 1.0)


def make_loss(smoothing: float = 0.05, distance: float = 1.0) -> Loss:
    """Cross-entropy of every head; of density also how far off it is, and what the tissue classes of mini-MIAS leave open.

    Parameters
    ----------
    distance
        Weight of `training.stages.losses.ordinal`.
    """
    entropy = masked_cross_entropy(smoothing=smoothing)
    allowed = torch.tensor(ALLOWED)

    def loss(logits: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        total = entropy(logits, targets)
        density, known, film = logits["density"], targets["density"] >= 0, targets["tissue"] >= 0
        if known.any():
            total = total + distance * ordinal(density[known], targets["density"][known])
        if film.any():
            total = total + film.float().mean() * among(density[film], allowed.to(density.device)[targets["tissue"][film]])
        return total

    return loss


LABELER_ALL_SETS = Experiment(
    name="labeler-all-sets",
    task="labeler",
    paper="served; after Yi et al. 2019",
    needs="rsna-bcd-640, INbreast, mini-MIAS, DDSM thumbnails, other pictures; weights: the model.onnx of a published labeler",
    datasets=tuple(SET_WEIGHTS),
    split=SPLIT,
    shape=(256, 160),
    recipe="breast-stretch@1",
    build=build,
    gather=gather,
    heads=ALL_HEADS,
    plans=(
        Plan(
            epochs=4,
            batch=32,
            rates={"": 0.0, "features.6": 2e-4, "features.7": 2e-4, "heads": 1e-3},
            weight_decay=2e-2,
            average=0.99,
            fixed_statistics=True,
            augmentation=AUGMENTATION,
        ),
    ),
    loss=make_loss,
    sampling_weights=weight_by_set,
)
EXPERIMENTS = {LABELER_ALL_SETS.name: LABELER_ALL_SETS}
