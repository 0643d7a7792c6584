"""One set of images, read as training reads it."""

from __future__ import annotations

from pathlib import Path

from training.data.index import locate
from training.data.table import Index


def read_set(folder: Path, name: str) -> Index:
    """Read the folder of one set with the reader `name`: its rows, and every file and table line that was skipped."""
    reader, place = locate(folder.parent, f"{name}:{folder}")
    return reader(place)
