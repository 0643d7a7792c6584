"""System 4, what Shen et al. 2017 compare with (3.1.4): a random forest on the regions of a patch classifier's heatmap."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import nn

from models.preprocessing.recipe import find_recipe
from training.data.augment import NONE
from training.data.patches import IMAGE_SHAPE
from training.experiments import patches
from training.networks.imagenet import IMAGENET
from training.stages.experiment import Experiment
from training.stages.options import Initialisation
from training.stages.plan import Plan
from training.stages.samples import Samples
from training.stages.two_step import TwoStepNetwork, fit_forest, measure_regions

ONE_PASS = Plan(epochs=1, batch=1, rates={"": 1.0}, precision="fp32", augmentation=NONE)
"""The images are looked at once and no gradient flows: of this plan only the precision counts."""


def build(initialisation: Initialisation, backbone: str, trained: str) -> nn.Module:
    """The classifier of a run, with a forest that is not fitted yet.

    Raises
    ------
    ValueError
        No run is named: ImageNet weights know no lesions.
    """
    if initialisation.weights == IMAGENET:
        raise ValueError(f"this row starts from a run of {trained}: name its folder with --weights RUNS/{trained}")
    return TwoStepNetwork(patches.build(initialisation, backbone))


def fit_trees(network: TwoStepNetwork, samples: Samples, recipe: str, seed: int) -> None:
    """Measure the heatmaps of the training images, and fit the forest that recognises the malignant ones."""
    truth = samples.targets["cancer"]
    chosen = np.array([index for index in samples.where("train") if truth[index] >= 0])
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    values = measure_regions(network.patches, [samples.crops[index] for index in chosen], find_recipe(recipe))
    network.cpu()
    network.set_forest(fit_forest(values, truth[chosen], seed))


def _experiment(backbone: str) -> Experiment:
    trained = f"patches-{backbone}-s10"
    return Experiment(
        name=f"two-step-{backbone}-s10",
        task="cancer",
        paper="Shen et al. 2017, 3.1.4: random forest on the heatmap's regions",
        needs=f"images with their pathology (CBIS-DDSM in the paper); a run of {trained} as --weights; it cannot be exported",
        datasets=("cbis-ddsm",),
        shape=IMAGE_SHAPE,
        recipe="whole-stretch@1",
        heads={"cancer": ("malignant",)},
        plans=(ONE_PASS,),
        build=partial(build, backbone=backbone, trained=trained),
        split="85/15",
        fit_override=fit_trees,
    )


EXPERIMENTS = {experiment.name: experiment for experiment in map(_experiment, ("resnet50", "vgg16"))}
