"""System 4, second step: whole-image networks with every top of Tables 2 and 3, and their transfer to another set (Shen et al. 2017)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from training.data.augment import PATCH_TO_IMAGE
from training.data.patches import IMAGE_SHAPE
from training.networks.imagenet import IMAGENET, RANDOM, fill
from training.networks.tops import Block, FcTop, ResnetBlock, VggBlock
from training.networks.whole_image import WholeImageNetwork
from training.stages.checkpoint import read_network
from training.stages.experiment import Experiment
from training.stages.options import Initialisation
from training.stages.plan import Plan

Heatmap = Literal["relu", "softmax"]
Top = tuple[Block, ...] | FcTop

VGG_BEST = (VggBlock(256), VggBlock(128))
RESNET_BEST = (ResnetBlock((512, 512, 1024), 2), ResnetBlock((512, 512, 1024), 2))
"""The tops of the four best performing models (3.1.4, "Hybrid networks"), which 3.2.2 transfers."""

CONVOLUTIONAL: dict[str, Top] = {
    "resnet-512x1": (ResnetBlock((512, 512, 2048)), ResnetBlock((512, 512, 2048))),
    "resnet-512x2": RESNET_BEST,
    "resnet-256x1-128x1": (ResnetBlock((256, 256, 256)), ResnetBlock((128, 128, 128))),
    "resnet-256x3-128x3": (ResnetBlock((256, 256, 256), 3), ResnetBlock((128, 128, 128), 3)),
    "resnet-256-512x3-128-256x3": (ResnetBlock((256, 256, 512), 3), ResnetBlock((128, 128, 256), 3)),
    "vgg-512x3": (VggBlock(512, 3), VggBlock(512, 3)),
    "vgg-512x1": (VggBlock(512), VggBlock(512)),
    "vgg-256x3-128x3": (VggBlock(256, 3), VggBlock(128, 3)),
    "vgg-256x1-128x1": VGG_BEST,
    "vgg-128x1-64x1": (VggBlock(128), VggBlock(64)),
}
"""Two blocks each, named as in the tables; a Resnet block is shortened to its first depth (and its last, to distinguish two rows)."""

ON_HEATMAP: dict[str, Top] = {
    "resnet-512x2": RESNET_BEST,
    "resnet-64x2-128x2": (ResnetBlock((64, 64, 256), 2), ResnetBlock((128, 128, 512), 2)),
}
FULLY_CONNECTED: dict[str, Top] = {
    "fc-5x5-64-32": FcTop(5, (64, 32)),
    "fc-2x2-512-256": FcTop(2, (512, 256)),
    "fc-1x1-2048-1024": FcTop(1, (2048, 1024)),
}

TABLE_2_RESNET = tuple(name for name in CONVOLUTIONAL if name.startswith("resnet"))
TABLE_3_VGG = tuple(name for name in CONVOLUTIONAL if name.startswith("vgg"))
BEST = {"vgg": "vgg-256x1-128x1", "resnet": "resnet-512x2"}


def build(
    initialisation: Initialisation,
    backbone: str,
    top: Top,
    heatmap: Heatmap | None = None,
    trained: str | None = None,
    random: bool = False,
) -> WholeImageNetwork:
    """A whole-image network that starts from a patch classifier's run, from another whole-image run, from published weights or at random.

    Parameters
    ----------
    trained
        The experiment whose run this row of the paper starts from: published weights are no substitute for it. None: they are welcome.
    random
        Initialisation at random where no weights are named.

    Raises
    ------
    ValueError
        The row needs a run, and none is named.
    WeightsUnavailable
        The weights cannot be had or do not fit.
    """
    name, weights = initialisation.backbone or backbone, RANDOM if random and initialisation.weights == IMAGENET else initialisation.weights
    if trained and weights == IMAGENET:
        raise ValueError(
            f"this row starts from a run of {trained}: name its folder with --weights RUNS/{trained}; "
            "without one, rows named whole-BACKBONE-TOP (no patch set in the name) start from ImageNet weights"
        )
    if not (Path(weights).is_dir() or weights.endswith(".pt")):
        return WholeImageNetwork(name, weights=weights, top=top, heatmap=heatmap, dropout=0.0)
    network = WholeImageNetwork(name, weights=RANDOM, top=top, heatmap=heatmap, dropout=0.0)
    state = read_network(Path(weights))
    if any(part.startswith("top.") for part in state):
        fill(network, state)
    else:
        network.load_patch_classifier(state)
    return network


def staged(heatmap: bool, fresh_heatmap: bool = False) -> tuple[Plan, ...]:
    """The 2-stage strategy of 3.1.2: the newly added top layers alone at 1e-4, then all layers at 1e-5; weight decay 0.001, then 0.01.

    Parameters
    ----------
    heatmap, fresh_heatmap
        The network has a heatmap; it comes from no patch classifier, and is trained with the top from the beginning.
    """
    added = {"top": 1e-4, "output": 1e-4} | ({"heatmap": 1e-4} if heatmap and fresh_heatmap else {})
    return _plan(30, {"": 0.0, **added}, 0.001), _plan(20, {"": 1e-5}, 0.01)


def _plan(epochs: int, rates: dict[str, float], weight_decay: float, batch: int = 2) -> Plan:
    return Plan(
        epochs=epochs, batch=batch, rates=rates, optimiser="adam", weight_decay=weight_decay, schedule="constant", clip=0.0,
        augmentation=PATCH_TO_IMAGE,
    )  # fmt: skip


def _experiment(
    name: str, paper: str, needs: str, backbone: str, top: Top, plans: tuple[Plan, ...], heatmap: Heatmap | None = None,
    trained: str | None = None, datasets: tuple[str, ...] = ("cbis-ddsm",), split: str = "85/15", recipe: str = "whole-stretch@1",
    random: bool = False,
) -> Experiment:  # fmt: skip
    return Experiment(
        name=name,
        task="cancer",
        paper=paper,
        needs=needs,
        datasets=datasets,
        shape=IMAGE_SHAPE,
        recipe=recipe,
        heads={"cancer": ("malignant",)},
        plans=plans,
        build=partial(build, backbone=backbone, top=top, heatmap=heatmap, trained=trained, random=random),
        split=split,
    )


def _on_patches(backbone: str, top: str, paper: str, patch_set: str = "s10", heatmap: Heatmap | None = None) -> Experiment:
    """A row of Table 2 or 3: from the run of a patch classifier."""
    tops = (FULLY_CONNECTED if top.startswith("fc-") else ON_HEATMAP) if heatmap else CONVOLUTIONAL
    inserted = "" if heatmap is None or top.startswith("fc-") else "heatmap-" if heatmap == "relu" else "softmax-"
    trained = f"patches-{backbone}-{patch_set}"
    return _experiment(
        f"whole-{backbone}-{patch_set}-{inserted}{top}",
        f"Shen et al. 2017, {paper}",
        f"images with their pathology (CBIS-DDSM in the paper); a run of {trained} as --weights",
        backbone,
        tops[top],
        staged(heatmap is not None),
        heatmap,
        trained,
    )


def _without_patches(backbone: str, top: str, random: bool = False) -> Experiment:
    """The same network on labels alone, for sets that outline no lesion; cropped to the breast, which the paper does not do."""
    start = "a random start" if random else f"ImageNet weights of {backbone}, or the run of a patch classifier"
    return _experiment(
        f"whole-{backbone}-{top}{'-random' if random else ''}",
        "Shen et al. 2017, 3.1.2 without the patches (ours)",
        f"images with their pathology; {start}",
        backbone,
        CONVOLUTIONAL[top],
        (_plan(50, {"": 1e-4}, 0.001),) if random else staged(False),
        datasets=("rsna-bcd-640",),
        recipe="breast-stretch@1",
        random=random,
    )


def _transfer(bottom: str, upper: str) -> Experiment:
    """A column of Table 4: one of the four best models is trained further on another set's labels alone, all layers at once."""
    backbone = {"resnet": "resnet50", "vgg": "vgg16"}[bottom]
    trained = f"whole-{backbone}-s10-{BEST[upper]}"
    return _experiment(
        f"transfer-{bottom}-{upper}",
        "Shen et al. 2017, Table 4",
        f"another set with its pathology (INbreast in the paper), no outlines; a run of {trained} as --weights; --patients 20 to all",
        backbone,
        CONVOLUTIONAL[BEST[upper]],
        (_plan(200, {"": 1e-5}, 0.01),),
        trained=trained,
        datasets=("inbreast",),
        split="70/30",
    )


_ROWS = (
    _on_patches("resnet50", "resnet-512x1", "Table 2", "s1"),
    *(_on_patches("resnet50", top, "Table 2") for top in (*TABLE_2_RESNET, BEST["vgg"])),
    *(_on_patches("resnet50", top, "Table 2: heatmap inserted", heatmap="relu") for top in ON_HEATMAP),
    *(_on_patches("resnet50", top, "2.2: heatmap inserted with a softmax", heatmap="softmax") for top in ON_HEATMAP),
    *(_on_patches("resnet50", top, "Table 2: heatmap and FC layers", heatmap="relu") for top in FULLY_CONNECTED),
    *(_on_patches("vgg16", top, "Table 3") for top in (*TABLE_3_VGG, BEST["resnet"])),
    *(_on_patches("vgg16", top, "Table 3: heatmap and FC layers", heatmap="relu") for top in FULLY_CONNECTED),
    *(_without_patches(backbone, top) for backbone in ("vgg16", "resnet50", "googlenet", "efficientnet-lite0") for top in BEST.values()),
    _without_patches("vgg16", BEST["vgg"], random=True),
    *(_transfer(bottom, upper) for bottom in ("resnet", "vgg") for upper in ("resnet", "vgg")),
)
EXPERIMENTS = {experiment.name: experiment for experiment in _ROWS}
"""If 50 epochs "did not lead to convergence, the training was resumed with up to 200 additional epochs" (3.1.2): --epochs says how many."""
