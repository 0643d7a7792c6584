"""From a run, or several averaged, to one ONNX file whose answers were compared with torch on real images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.preprocessing.recipe import find_recipe
from training.evaluate.forward import prepare
from training.evaluate.running import join_networks
from training.export.onnx_graph import convert, export, parity
from training.stages.gathering import gather_images
from training.stages.run import Run
from training.stages.samples import Samples

PARITY_PICTURES = 32
RANGE_PICTURES = 64
"""Pictures of the train part on which int8 finds its ranges."""


@dataclass(frozen=True)
class Exported:
    """A stored graph and its largest difference from torch in any probability, over `pictures` real images."""

    path: Path
    storage: str
    difference: float
    pictures: int


def served_samples(run: Run) -> Samples:
    """The samples that a graph is measured on. An exam network is served image by image, as every model of the service is."""
    samples = run.gather()
    return gather_images(run.request) if samples.crops.ndim == 4 else samples


def spread(indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At most `count` of the indices, evenly from all over the table, so that no single machine or set decides."""
    if not len(indices):
        return indices
    return indices[np.unique(np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(np.int64))]


def export_run(
    run: Run,
    path: Path,
    *,
    storage: str = "fp16",
    average: Sequence[Run] = (),
    flips: bool = False,
    dynamic_size: bool = False,
    images: int = PARITY_PICTURES,
    samples: Samples | None = None,
    plain: Path | None = None,
) -> Exported:
    """Write a run's graph and measure its parity on real images of the test part (of all parts where that is empty).

    Parameters
    ----------
    average
        Further runs that the graph averages with this one.
    flips
        Put the four flips of augmented prediction into the graph: four times the arithmetic.
    samples, plain
        Samples that were gathered, and an fp32 graph of the same network that was written before.

    Raises
    ------
    ValueError
        The runs cannot be one graph, or a flip would change the answer.
    SizeFixed
        A dynamic size was asked for, and the network has one size.
    """
    network = join_networks([run, *average], flips)
    samples = samples or served_samples(run)
    recipe, heads = find_recipe(run.experiment.recipe), list(run.experiment.heads)
    test, train = samples.where("test"), samples.where("train")
    held = spread(test if test.size else np.arange(len(samples.rows)), images)
    pictures = prepare(np.asarray(samples.crops[held]), recipe).numpy()
    ranges = None
    if storage == "int8":
        ranges = prepare(np.asarray(samples.crops[spread(train if train.size else held, RANGE_PICTURES)]), recipe).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    if plain is None:
        export(network, heads, run.shape, path, storage, dynamic_size, ranges)
    else:
        convert(plain, path, storage, ranges)
    return Exported(path, storage, parity(network, heads, path, pictures), len(pictures))
