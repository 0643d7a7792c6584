"""System 4, first step: five-class patch classifiers on the S1 and S10 sets (Shen et al. 2017, 3.1.1 to 3.1.3, Table 1)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from training.data.augment import PATCH_TO_IMAGE
from training.data.patches import IMAGE_SHAPE, S1, S10, PatchSet, sample_patches
from training.networks.backbones import top_layers
from training.networks.imagenet import IMAGENET, RANDOM, fill
from training.networks.patch_classifier import LESIONS, PATCH, PatchClassifier
from training.stages.balance import balanced_cross_entropy
from training.stages.checkpoint import read_network
from training.stages.experiment import Experiment
from training.stages.gathering import SampleRequest
from training.stages.options import Initialisation
from training.stages.plan import Plan
from training.stages.samples import Samples

SETS = {patch_set.name: patch_set for patch_set in (S1, S10)}
EPOCHS = {"s1": 200, "s10": 50}
"""Of all stages: "for the S1 patch set, the total number of epochs was increased to 200 because it is much smaller"."""


def gather_patches(request: SampleRequest, patch_set: PatchSet) -> Samples:
    """Patches of the experiment's sets; a smaller patch is cut from an image that is smaller alike, so that it shows as much breast.

    Raises
    ------
    ValueError
        The shape is no square.
    """
    rows, columns = request.shape
    if rows != columns:
        raise ValueError(f"patches are squares: {rows}x{columns} is none; give --shape the same number twice")
    image_shape = (round(IMAGE_SHAPE[0] * rows / PATCH), round(IMAGE_SHAPE[1] * rows / PATCH))
    patches = sample_patches(request.read_rows(), patch_set, request.cache, rows, image_shape)
    return Samples(patches.rows, patches.pixels, request.parts(patches.rows), {"lesion": patches.classes})


def build(initialisation: Initialisation, backbone: str, weights: str | None = None) -> PatchClassifier:
    """The classifier on its backbone; from another run of the same classifier it takes everything.

    Parameters
    ----------
    weights
        Replaces `IMAGENET` in this row: a row that starts at random does so unless the user names other weights.
    """
    chosen = weights if weights is not None and initialisation.weights == IMAGENET else initialisation.weights
    if Path(chosen).is_dir() or chosen.endswith(".pt"):
        network = PatchClassifier(initialisation.backbone or backbone, RANDOM)
        fill(network, read_network(Path(chosen)))
        return network
    return PatchClassifier(initialisation.backbone or backbone, chosen)


def staged(backbone: str, epochs: int) -> tuple[Plan, ...]:
    """The 3-stage strategy of 3.1.2: the last layer at 1e-3, then the top layers at 1e-4, then all at 1e-5."""
    top = {f"backbone.{prefix}": 1e-4 for prefix in top_layers(backbone)}
    return (
        _plan(3, {"": 0.0, "output": 1e-3}),
        _plan(10, {"": 0.0, **top, "output": 1e-4}),
        _plan(epochs - 13, {"": 1e-5}),
    )


def constant(epochs: int) -> tuple[Plan, ...]:
    """For randomly initialised networks "a constant learning rate of 1e-3 was used" (3.1.2)."""
    return (_plan(epochs, {"": 1e-3}),)


def _plan(epochs: int, rates: dict[str, float]) -> Plan:
    return Plan(
        epochs=epochs, batch=32, rates=rates, optimiser="adam", weight_decay=0.0, schedule="constant", clip=0.0, augmentation=PATCH_TO_IMAGE
    )


def _row(backbone: str, patch_set: str, random: bool, paper: str) -> Experiment:
    start = "a random start" if random else f"ImageNet weights of {backbone}"
    return Experiment(
        name=f"patches-{backbone}-{patch_set}{'-random' if random else ''}",
        task="lesion-patch",
        paper=paper,
        needs=f"images with outlined lesions of known pathology (CBIS-DDSM in the paper); {start}",
        datasets=("cbis-ddsm",),
        shape=(PATCH, PATCH),
        recipe="patch-stretch@1",
        heads={"lesion": LESIONS},
        plans=constant(EPOCHS[patch_set]) if random else staged(backbone, EPOCHS[patch_set]),
        build=partial(build, backbone=backbone, weights=RANDOM if random else None),
        gather=partial(gather_patches, patch_set=SETS[patch_set]),
        loss=balanced_cross_entropy,
        split="85/15",
    )


TABLE_1 = "Shen et al. 2017, Table 1"
OURS = "Shen et al. 2017, 3.1.2 (ours)"

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        _row("resnet50", "s1", True, TABLE_1),
        _row("resnet50", "s1", False, TABLE_1),
        _row("resnet50", "s10", True, TABLE_1),
        _row("resnet50", "s10", False, TABLE_1),
        _row("vgg16", "s10", False, TABLE_1),
        _row("vgg16", "s1", False, OURS),
        _row("vgg16", "s10", True, OURS),
        _row("googlenet", "s10", False, OURS),
        _row("efficientnet-lite0", "s10", False, OURS),
    )
}
