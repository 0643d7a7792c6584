"""What an experiment is asked to gather, and the usual answer: whole images, cut by the experiment's recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.cache import build_cache
from training.data.index import read_index
from training.data.table import Row
from training.stages.parts import assign_parts, limit_patients
from training.stages.samples import Samples, Targets

CANCER = "cancer"


@dataclass(frozen=True)
class SampleRequest:
    """Which samples a run needs: an experiment's data with the run's options applied.

    Parameters
    ----------
    data, cache
        Folder of the data sets; folder of decoded crops.
    datasets
        Names of `training.data.index.READERS`.
    shape
        Rows, columns of a crop in pixels.
    recipe
        Of `models.preprocessing.recipe`.
    heads
        Heads of the network with their classes.
    split
        File of ``patient,part`` lines, or the name of a rule of `training.data.splits`.
    fold
        1 to 5: that fifth of the patients is the test part, whatever `split` says.
    patients
        Train on this many patients only.
    """

    data: Path
    cache: Path
    datasets: tuple[str, ...]
    shape: tuple[int, int]
    recipe: str
    heads: dict[str, tuple[str, ...]]
    split: str | Path
    fold: int | None = None
    patients: int | None = None

    def read_rows(self) -> list[Row]:
        """The rows of all data sets."""
        return read_index(self.data, self.datasets)

    def parts(self, rows: Sequence[Row]) -> NDArray[np.str_]:
        """The part of each row; the rows of training patients beyond `patients` are ``unused``.

        Raises
        ------
        SplitUnfit
            The split does not fit the rows.
        """
        return limit_patients(rows, assign_parts(rows, self.split, self.fold), self.patients)

    def targets(self, rows: Sequence[Row]) -> Targets:
        """Class indices by head from the rows; -1 where the label is unknown."""
        return targets(self.heads, rows)


def targets(heads: dict[str, tuple[str, ...]], rows: Sequence[Row]) -> Targets:
    """Class indices by head from the rows; -1 where the label is unknown. The head ``cancer`` asks whether the breast has cancer."""
    return {head: np.array([_target(head, classes, row) for row in rows], np.int64) for head, classes in heads.items()}


def _target(head: str, classes: tuple[str, ...], row: Row) -> int:
    if head == CANCER:
        return -1 if row.malignant is None else int(row.malignant)
    label = getattr(row, head)
    if label is None:
        return -1
    return int(label) if isinstance(label, bool) else classes.index(label)


def gather_images(request: SampleRequest) -> Samples:
    """Whole images: the index, cached crops by the recipe, parts and targets."""
    rows = request.read_rows()
    request.parts(rows)  # report a split that does not fit before the hours that decoding may take
    return cut_images(request, rows)


def cut_images(request: SampleRequest, rows: list[Row]) -> Samples:
    """The crops of some rows with their parts and targets; rows that cannot be decoded are left out."""
    cached = build_cache(rows, request.shape, request.cache, request.recipe)
    kept = list(cached.rows)
    return Samples(kept, cached.pixels, request.parts(kept), request.targets(kept))
