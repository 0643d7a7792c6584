"""``python -m benchmarks.training``: images a second in training, fp32 against bf16, and the cache against decoding in every epoch.

The variants take turns in one run, and the median of the rounds counts. What is measured is the engine's
own loop (loading, augmentation, forward, backward, step), after one epoch to warm up. On synthetic mammograms, or on a set of one's own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import nn

from models.preprocessing.recipe import find_recipe
from training.data.cache import build_cache, read_crop
from training.data.index import read_index
from training.data.synthetic import write_synthetic
from training.data.table import Row
from training.experiments.catalogue import find_experiment
from training.stages.dataset import AugmentedDataset
from training.stages.engine import fit
from training.stages.experiment import Experiment
from training.stages.gathering import targets
from training.stages.options import Initialisation
from training.stages.training_log import read_log

PATIENTS = 16


class Undecoded:
    """Crops that are decoded and cut whenever they are asked for: what training without a cache does."""

    def __init__(self, rows: list[Row], shape: tuple[int, int], recipe: str) -> None:
        self.rows, self.size, self.recipe = rows, shape, recipe
        self.shape = (len(rows), *shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return read_crop(self.rows[index], self.size, self.recipe)


def build(experiment: Experiment) -> nn.Module:
    """The same start for every variant."""
    torch.manual_seed(0)
    return experiment.build(Initialisation("random"))


def images_a_second(experiment: Experiment, pixels: Any, rows: list[Row], batch: int, precision: str, folder: Path) -> float:
    """Of the second epoch of two."""
    plan = replace(experiment.plans[0], epochs=2, batch=batch, precision=precision)  # type: ignore[arg-type]
    samples = AugmentedDataset(pixels, targets(experiment.heads, rows), plan.augmentation, 0, find_recipe(experiment.recipe).normalise)
    fit(build(experiment), samples, experiment.loss(), plan, folder)
    return read_log(folder)[-1]["images_per_s"]


def measure(
    data: Path | None, datasets: str, name: str, shape: tuple[int, int] | None, batch: int, images: int, rounds: int
) -> dict[str, Any]:
    """Images a second of the three variants.

    Parameters
    ----------
    data
        Folder with the set `datasets`; None makes synthetic mammograms of 2048x1664 pixels up.
    """
    with tempfile.TemporaryDirectory(prefix="mammotriage-bench-") as place:
        folder = Path(place)
        if data is None:
            data, datasets = folder / "data", "synthetic"
            write_synthetic(data / datasets, PATIENTS, seed=0, size=(2048, 1664))
        experiment = find_experiment(name, datasets.split(","))
        size = shape or experiment.shape
        cached = build_cache(read_index(data, experiment.datasets)[:images], size, folder / "cache", experiment.recipe)
        rows = list(cached.rows)
        variants = {
            "fp32": (cached.pixels, "fp32"),
            "bf16": (cached.pixels, "bf16"),
            "bf16, decoded in every epoch": (Undecoded(rows, size, experiment.recipe), "bf16"),
        }
        found: dict[str, list[float]] = {variant: [] for variant in variants}
        for turn in range(rounds):
            for number, (variant, (pixels, precision)) in enumerate(variants.items()):
                found[variant].append(images_a_second(experiment, pixels, rows, batch, precision, folder / f"{turn}-{number}"))
    speed = {variant: round(statistics.median(values), 2) for variant, values in found.items()}
    return {
        "images_a_second": speed,
        "bf16_against_fp32": round(speed["bf16"] / speed["fp32"], 2),
        "cache_against_decoding": round(speed["bf16"] / speed["bf16, decoded in every epoch"], 2),
        "rounds": {variant: [round(value, 2) for value in values] for variant, values in found.items()},
        "experiment": name,
        "shape": list(size),
        "batch": batch,
        "images": len(rows),
        "set": datasets,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine(),
        "cores": os.cpu_count(),
        "load_at_the_end": round(os.getloadavg()[0], 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def show(figures: dict[str, Any]) -> None:
    """Print them."""
    size = "x".join(map(str, figures["shape"]))
    table = Table("variant", "images a second", title=f"training {figures['experiment']} at {size}, batch {figures['batch']}")
    for variant, value in figures["images_a_second"].items():
        table.add_row(variant, str(value))
    table.add_row("bf16 against fp32", f"{figures['bf16_against_fp32']} times")
    table.add_row("cache against decoding", f"{figures['cache_against_decoding']} times")
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of data sets; by default synthetic mammograms are made")
    parser.add_argument("--datasets", default="synthetic", help="reader[:folder], with --data")
    parser.add_argument("--experiment", default="labeler")
    parser.add_argument("--shape", type=lambda text: tuple(map(int, text.split("x"))), help="ROWSxCOLUMNS")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    figures = measure(asked.data, asked.datasets, asked.experiment, asked.shape, asked.batch, asked.images, asked.rounds)
    show(figures)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
