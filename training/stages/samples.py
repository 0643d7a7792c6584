"""Samples as an experiment gathers them: whole images, patches or exams, each with its part of the split and its targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.table import Row

Targets = dict[str, NDArray[np.int64]]
"""Head to one class index a sample; -1 where the label is unknown."""


@dataclass(frozen=True)
class Samples:
    """Samples ready for training.

    Parameters
    ----------
    rows
        The row that each sample comes from (of an exam: its first image).
    crops
        (n, rows, columns) or (n, views, rows, columns) uint8.
    parts
        ``train``, ``validation`` or ``test``; ``unused`` for samples that this run leaves out.
    targets
        Class indices by head, -1 where the label is unknown.
    """

    rows: list[Row]
    crops: NDArray[np.uint8]
    parts: NDArray[np.str_]
    targets: Targets

    def where(self, part: str) -> NDArray[np.int64]:
        """Indices of the samples of a part."""
        return np.flatnonzero(self.parts == part)
