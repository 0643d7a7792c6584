"""System 3: DIB-MG, weakly supervised on exams, on breasts, and on single images (Kim et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from training.data.augment import DIB_MG
from training.data.cache import build_cache
from training.data.exams import Exam, group_breasts, group_exams, leave_out_benign
from training.data.table import Row
from training.networks.dib_mg import WIDTHS, DibMg
from training.networks.imagenet import IMAGENET, RANDOM, fill
from training.stages.checkpoint import read_network
from training.stages.experiment import Experiment
from training.stages.gathering import SampleRequest, gather_images
from training.stages.options import Initialisation
from training.stages.plan import Plan
from training.stages.samples import Samples

SHAPE = (1600, 1600)
"""The longer side becomes 1600 and the rest is padded ("Training Set-up")."""


def gather_exams(request: SampleRequest, group: Callable[[Sequence[Row]], list[Exam]]) -> Samples:
    """Samples of several views, (n, views, rows, columns), a view that an exam lacks black; benign exams left out as in the paper."""
    cached = build_cache(request.read_rows(), request.shape, request.cache, request.recipe)
    exams = leave_out_benign(cached.rows, group(cached.rows))
    first = [cached.rows[exam.first] for exam in exams]
    crops = np.zeros((len(exams), len(exams[0].places) if exams else 0, *cached.pixels.shape[1:]), np.uint8)
    for number, exam in enumerate(exams):
        for place, index in enumerate(exam.places):
            if index is not None:
                crops[number, place] = cached.pixels[index]
    labels = np.array([-1 if exam.malignant is None else int(exam.malignant) for exam in exams], np.int64)
    return Samples(first, crops, request.parts(first), {"cancer": labels})


def build(initialisation: Initialisation) -> DibMg:
    """The network; no ImageNet weights exist for it, so that it starts at random unless a trained run is named.

    Raises
    ------
    ValueError
        `Initialisation.backbone` is no list of six widths.
    """
    network = DibMg(_widths(initialisation.backbone))
    if initialisation.weights not in (IMAGENET, RANDOM):
        fill(network, read_network(Path(initialisation.weights)))
    return network


def _widths(text: str | None) -> tuple[int, int, int, int, int, int]:
    if text is None:
        return WIDTHS
    try:
        first, second, third, fourth, fifth, sixth = (int(part) for part in text.split("-"))
    except ValueError:
        raise ValueError(
            f"DIB-MG has one architecture; --backbone takes the filters of its six blocks, like {'-'.join(map(str, WIDTHS))}, not {text!r}"
        ) from None
    return first, second, third, fourth, fifth, sixth


def _plan(batch: int) -> Plan:
    """Training Set-up: 1e-3, decayed by a factor of 5 every 10 epochs until 30; momentum 0.9; weight decay 5e-4."""
    return Plan(
        epochs=30, batch=batch, rates={"": 1e-3}, optimiser="sgd", momentum=0.9, weight_decay=5e-4, schedule="step", step_epochs=10,
        step_factor=1 / 5, clip=0.0, augmentation=DIB_MG,
    )  # fmt: skip


EXAM = Experiment(
    name="dib-mg",
    task="cancer",
    paper="Kim et al. 2018, Tables 3 and 4",
    needs="exams of up to four views with one label each (cancer or normal); no ImageNet weights, no outlines",
    datasets=("rsna-bcd-640",),
    shape=SHAPE,
    recipe="pad-square@1",
    heads={"cancer": ("malignant",)},
    plans=(_plan(batch=16),),
    build=build,
    gather=partial(gather_exams, group=group_exams),
    split="5:1:1",
)
BREAST = replace(
    EXAM,
    name="dib-mg-breast",
    paper="Kim et al. 2018, one breast a sample (ours)",
    needs="breasts of up to two views with one label each; no ImageNet weights, no outlines",
    plans=(_plan(batch=32),),
    gather=partial(gather_exams, group=group_breasts),
)
IMAGE = replace(
    EXAM,
    name="dib-mg-image",
    paper="Kim et al. 2018, one image a sample (ours)",
    needs="images with one label each; no ImageNet weights, no outlines",
    plans=(_plan(batch=64),),
    gather=gather_images,
)
EXPERIMENTS = {experiment.name: experiment for experiment in (EXAM, BREAST, IMAGE)}
"""The batches hold 64 images each, as the paper's 16 exams do."""
