"""What a user may change about an experiment without forking it, and the samples that gathering makes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.index import Row
from training.stages.plan import Precision
from training.stages.samples import Targets


@dataclass(frozen=True)
class Start:
    """How a network begins.

    Parameters
    ----------
    weights
        ``imagenet`` (torchvision's own download, or what a package ships), ``random``, a ``.safetensors`` file, or another
        experiment's run folder or checkpoint.
    backbone
        None: the experiment's own.
    """

    weights: str = "imagenet"
    backbone: str | None = None


@dataclass(frozen=True)
class Setting:
    """What a user may override on the command line; None keeps what the experiment says.

    Parameters
    ----------
    data, runs
        Folder of the data sets; folder of caches, checkpoints and logs.
    split
        A file of ``patient,part`` lines, or the name of a rule of `training.data.splits`.
    fold
        1 to 5: that fifth of the patients is the test part, whatever `split` says.
    shape
        Rows, columns of the network input.
    epochs
        Of all stages together.
    rates
        Factor on every learning rate: a run of far fewer epochs than the paper's needs larger steps to come anywhere.
    seed
        Of the start, the order and the augmentation; never of the split.
    patients
        Train on this many patients only; smaller numbers are subsets of larger ones.
    tag
        The run's folder is ``runs/NAME-TAG``.
    devices
        Accelerators to train on, or processes where there is none.
    workers
        Processes that load samples; None: none on a CPU, which they would only take from the network.
    """

    data: Path
    runs: Path
    split: str | Path | None = None
    fold: int | None = None
    shape: tuple[int, int] | None = None
    epochs: int | None = None
    rates: float = 1.0
    batch: int | None = None
    seed: int = 0
    patients: int | None = None
    start: Start = Start()
    tag: str = ""
    accumulate: int | None = None
    patience: int | None = None
    precision: Precision | None = None
    deterministic: bool = False
    devices: int = 1
    workers: int | None = None


@dataclass(frozen=True)
class Material:
    """Samples ready for training: whole images, patches or exams alike.

    Parameters
    ----------
    rows
        The row that each sample comes from (of an exam: its first image).
    crops
        (n, rows, columns) or (n, views, rows, columns) uint8.
    parts
        ``train``, ``tune`` or ``test``; ``spare`` for samples that this run leaves out.
    targets
        Class indices by head, -1 where a sample does not say.
    """

    rows: list[Row]
    crops: NDArray[np.uint8]
    parts: NDArray[np.str_]
    targets: Targets

    def where(self, part: str) -> NDArray[np.int64]:
        """Indices of the samples of a part."""
        return np.flatnonzero(self.parts == part)
