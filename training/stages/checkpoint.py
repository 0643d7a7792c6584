"""Checkpoints: written whole or not at all, and read back from a file, a run's folder or a stage's."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from training.errors import NotTrained

LAST, BEST = "checkpoint.pt", "best.pt"
"""Of each stage: where the next epoch continues, and the best epoch on the validation part. Both hold ``network``, a plain state."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that a kill at any moment leaves either the old file or the new one.

    Serialised in memory first: torch's own writer hides the cause when a disk is full.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    partial = path.with_suffix(".part")
    try:
        with partial.open("wb") as stream:
            stream.write(buffer.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What `save` wrote: tensors and plain values only, no code."""
    return cast(dict[str, Any], torch.load(path, map_location=device, weights_only=True))


def find_checkpoint(place: Path) -> Path:
    """The checkpoint that `place` means: a file itself; of a stage its best epoch, else its last; of a run that of its last stage.

    Raises
    ------
    NotTrained
        There is none.
    """
    if place.is_file():
        return place
    stages = sorted(place.glob("stage*"), key=lambda path: int(re.sub(r"\D", "", path.name) or 0), reverse=True)
    for folder in (place, *stages):
        for name in (BEST, LAST):
            if (folder / name).is_file():
                return folder / name
    raise NotTrained(f"no checkpoint at {place}: train first with `python -m training train`, with the same --runs and --tag")


def read_network(place: Path) -> dict[str, Tensor]:
    """The tensors of a trained network, by name, from anything that `find_checkpoint` understands.

    Raises
    ------
    NotTrained
        There is no checkpoint, or the file is none.
    """
    path = find_checkpoint(place)
    saved = load(path)
    if "network" not in saved:
        raise NotTrained(f"{path} is no checkpoint of a training run: it has no network")
    return cast(dict[str, Tensor], saved["network"])


def fits(network: nn.Module, tensors: dict[str, Tensor]) -> bool:
    """Whether `tensors` are a whole state of `network`: the same names and shapes."""
    own = network.state_dict()
    return own.keys() == tensors.keys() and all(own[name].shape == value.shape for name, value in tensors.items())
