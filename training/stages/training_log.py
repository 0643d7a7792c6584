"""The training log of a stage: a line an epoch in log.csv, and TensorBoard event files with the loss of every few steps."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter

LOG_FILE = "log.csv"


class TrainingLog:
    """Writes the figures of a stage while it trains.

    Parameters
    ----------
    folder
        Gets ``log.csv`` and ``tensorboard/``.
    history
        Figures of the epochs before a resume: the CSV is brought to exactly these, whatever a killed run had written after its checkpoint.
    step
        Steps of the optimiser so far; TensorBoard drops what an earlier run logged behind it.
    """

    def __init__(self, folder: Path, history: Sequence[dict[str, float]], step: int) -> None:
        self.path = folder / LOG_FILE
        self.path.unlink(missing_ok=True)
        for values in history:
            self._line(values)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # The first error is the one to report; closing on a full disk would only raise it again.
        with contextlib.suppress(Exception) if kind else contextlib.nullcontext():
            self.board.close()

    def step(self, step: int, values: dict[str, float]) -> None:
        """Figures of one step."""
        for name, value in values.items():
            self.board.add_scalar(f"step/{name}", value, step)

    def epoch(self, step: int, values: dict[str, float]) -> None:
        """Figures of one epoch."""
        self._line(values)
        for name, value in values.items():
            self.board.add_scalar(f"epoch/{name}", value, step)
        self.board.flush()

    def _line(self, values: dict[str, float]) -> None:
        fresh = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            if fresh:
                writer.writerow(values)
            writer.writerow(f"{value:.5g}" for value in values.values())


def read_log(folder: Path) -> list[dict[str, float]]:
    """The figures of every epoch of a stage."""
    with (folder / LOG_FILE).open(newline="", encoding="utf-8") as stream:
        return [{name: float(value) for name, value in line.items()} for line in csv.DictReader(stream)]
