"""Semantic labels, a network for each (Yi et al. 2019): view, laterality with and without horizontal flips, density."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch import nn

from training.data.augment import LABELS, LABELS_KEEPING_SIDES, Augmentation
from training.errors import ClassEmpty
from training.networks.imagenet import RANDOM, fill
from training.networks.labeler import HEADS, Labeler
from training.stages.checkpoint import read_network
from training.stages.experiment import Experiment
from training.stages.gathering import SampleRequest, cut_images
from training.stages.options import Initialisation
from training.stages.plan import Plan
from training.stages.samples import Samples

EPOCHS, RATE, MOMENTUM, WEIGHT_DECAY = 49, 1e-3, 0.9, 1e-5
"""Yi et al. 2019, "DCNN Development and Testing"."""

BATCH = 32
"""The paper does not say."""


def build(head: str, initialisation: Initialisation) -> nn.Module:
    """ResNet-50 (or another backbone) whose last linear layer has the label's classes; from ImageNet, a file, or another label's run."""
    make = partial(Labeler, initialisation.backbone or "resnet50", heads={head: HEADS[head]}, dropout=0.0)
    place = Path(initialisation.weights)
    if not (place.is_dir() or place.suffix == ".pt"):
        return make(weights=initialisation.weights)
    network = make(weights=RANDOM)
    fill(network, read_network(place), but=("heads.",))
    return network


def gather(request: SampleRequest) -> Samples:
    """The images whose label is known: the whole image at the network's size, by the experiment's recipe.

    Both laterality runs get the same images in the same parts, so that DeLong's test can pair them.

    Raises
    ------
    ClassEmpty
        No image of the data sets has the label.
    """
    (head,) = request.heads
    rows = [row for row in request.read_rows() if getattr(row, head) is not None]
    if not rows:
        raise ClassEmpty(f"no image of {', '.join(request.datasets)} has a {head}: name other data sets")
    return cut_images(request, rows)


def _experiment(name: str, head: str, paper: str, augmentation: Augmentation, recipe: str = "whole-stretch@1") -> Experiment:
    plan = Plan(
        epochs=EPOCHS,
        batch=BATCH,
        rates={"": RATE},
        optimiser="sgd",
        momentum=MOMENTUM,
        weight_decay=WEIGHT_DECAY,
        schedule="constant",
        clip=0.0,
        augmentation=augmentation,
    )
    return Experiment(
        name=name,
        task=head,  # type: ignore[arg-type]  # each label is a task of its own name
        paper=f"Yi et al. 2019, {paper}",
        needs="any set with this label (the paper: DDSM); ResNet-50 ImageNet weights, or --backbone resnet18 or resnet34",
        datasets=("rsna-bcd-640",),
        shape=(256, 256),
        recipe=recipe,
        heads={head: HEADS[head]},
        plans=(plan,),
        build=partial(build, head),
        gather=gather,
        split="70/10/20",
    )


UNMARKED = "whole-unmarked@1"
"""Laterality markers removed (Yi et al. 2019, "Image Processing"). A recipe, so that serving removes them too."""

VIEW = _experiment("labels-view", "view", "Results: view, AUC 1.0", LABELS)
LATERALITY = _experiment(
    "labels-laterality", "laterality", "Results: laterality without horizontal flips, AUC 0.93", LABELS_KEEPING_SIDES, UNMARKED
)
LATERALITY_FLIPS = _experiment("labels-laterality-flips", "laterality", "Results: laterality, first try, AUC 0.74", LABELS, UNMARKED)
DENSITY = _experiment("labels-density", "density", "Results: density, accuracy 0.68", LABELS)

EXPERIMENTS = {experiment.name: experiment for experiment in (VIEW, LATERALITY, LATERALITY_FLIPS, DENSITY)}
