"""Images decoded and cropped once: a memory-mapped array, so that epochs do not wait for JPEG or DICOM."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.preprocessing.recipe import find_recipe
from training.data.index import summarise
from training.data.pictures import UNREADABLE, read_picture, reason
from training.data.table import Row, Skipped

try:
    import fcntl
except ImportError:  # Windows has no advisory locks: there, start one build at a time
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

LAYOUT = 3
"""Of the files that are written here; another number makes other keys."""

WORKERS = os.cpu_count() or 1
"""Threads: decoders and OpenCV release the interpreter's lock (see `build_cache`)."""

CHUNK = 16 * WORKERS
"""Images between two points from which a killed build resumes."""


@dataclass(frozen=True)
class Cached:
    """Images ready for training.

    Parameters
    ----------
    rows
        Those that could be read, in the order of the table.
    pixels
        (len(rows), rows, columns) uint8, memory-mapped, read-only.
    skipped
        The files that could not be read, and why.
    """

    rows: list[Row]
    pixels: NDArray[np.uint8]
    skipped: tuple[Skipped, ...] = ()


@dataclass
class _Progress:
    """Progress of a build: images tried, images written, and those left out by their place in the table."""

    done: int
    skipped: dict[int, str]

    @property
    def kept(self) -> int:
        return self.done - len(self.skipped)


def build_cache(rows: Sequence[Row], shape: tuple[int, int], folder: Path, recipe: str = "breast-stretch@1") -> Cached:
    """Cut every image to `shape` with the geometric half of `recipe`, once for a table, a shape and a recipe.

    A build that was killed continues where it stopped. Threads do the work: on 60 images they were as fast as processes or faster
    (8-bit JPEG of 640x640, and 16-bit RLE DICOM of 4600x2800), and they need no copies.

    Parameters
    ----------
    shape
        Rows, columns in pixels.
    folder
        Keeps ``RECIPE-ROWSxCOLUMNS-KEY.u8`` (the pixels) and ``.json`` (how far it came); the key is made of recipe, shape, and the names
        (relative, so that a moved data folder keeps its cache), sizes and polarity of the files.

    Raises
    ------
    ValueError
        No rows, or not one readable image.
    OSError
        With ``errno.ENOSPC``: the disk cannot hold the array; the message says how many bytes it needs.
    RecipeUnknown
        No recipe has that name.
    """
    if not rows:
        raise ValueError("no images to cache: the index is empty, or nothing is left of it after filtering")
    find_recipe(recipe)
    folder.mkdir(parents=True, exist_ok=True)
    pixels_path = folder / f"{recipe}-{shape[0]}x{shape[1]}-{_key(rows, shape, recipe)}.u8"
    with _alone(pixels_path):
        progress = _read_progress(pixels_path, shape)
        if progress.done < len(rows):
            _build(rows, shape, recipe, pixels_path, progress)
    skipped = tuple(Skipped(str(rows[place].file), why) for place, why in progress.skipped.items())
    for line in summarise(skipped):
        log.warning("cache: %s", line)
    if not progress.kept:
        raise ValueError(f"none of the {len(rows)} images can be read: {'; '.join(summarise(skipped))}")
    kept = [row for place, row in enumerate(rows) if place not in progress.skipped]
    return Cached(kept, np.memmap(pixels_path, np.uint8, "r", shape=(len(kept), *shape)), skipped)


def read_crop(row: Row, shape: tuple[int, int], recipe: str = "breast-stretch@1") -> NDArray[np.uint8]:
    """Decode one image and cut it to `shape` (rows, columns) with a recipe's geometry; grey levels unchanged. Raises as `read_picture`."""
    return find_recipe(recipe).crop(read_picture(row), shape)[0]


def _build(rows: Sequence[Row], shape: tuple[int, int], recipe: str, path: Path, progress: _Progress) -> None:
    """Append what is missing, chunk by chunk; a finished chunk is on the disk before it is counted."""
    needed = (len(rows) - progress.done) * shape[0] * shape[1]
    if shutil.disk_usage(path.parent).free < needed:
        raise _disk_full(path.parent, shape, needed)

    def cut(row: Row) -> NDArray[np.uint8] | str:
        try:
            return read_crop(row, shape, recipe)
        except UNREADABLE as error:
            return reason(error)

    with (
        path.open("ab") as stream,
        ThreadPoolExecutor(WORKERS) as pool,
        tqdm(total=len(rows), initial=progress.done, desc=f"{recipe} {shape[0]}x{shape[1]}", unit="image") as bar,
    ):
        stream.truncate(progress.kept * shape[0] * shape[1])
        while progress.done < len(rows):
            chunk = rows[progress.done : progress.done + CHUNK]
            skipped: dict[int, str] = {}
            try:
                for place, result in enumerate(pool.map(cut, chunk), start=progress.done):
                    bar.update()
                    if isinstance(result, str):
                        skipped[place] = result
                    else:
                        stream.write(result.tobytes())
                stream.flush()
                os.fsync(stream.fileno())
                progress.done, progress.skipped = progress.done + len(chunk), progress.skipped | skipped
                _write_progress(path, progress)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise _disk_full(path.parent, shape, (len(rows) - progress.done) * shape[0] * shape[1]) from None
                raise


def _disk_full(folder: Path, shape: tuple[int, int], needed: int) -> OSError:
    free = shutil.disk_usage(folder).free
    return OSError(
        errno.ENOSPC,
        f"the crops of {shape[0]}x{shape[1]} need {needed:,} more bytes in {folder}, {free:,} are free: "
        "free some space, choose a smaller shape, or keep the runs on another disk",
    )


def _key(rows: Sequence[Row], shape: tuple[int, int], recipe: str) -> str:
    """Sixteen hexadecimal digits of everything that the pixels depend on."""
    root = os.path.commonpath([row.file.parent for row in rows])
    files = [
        (
            row.dataset,
            os.path.relpath(row.file, root),
            row.file.stat().st_size if row.file.is_file() else -1,
            row.inverted,
            row.mirrored,
            row.aspect,
        )
        for row in rows
    ]
    return hashlib.sha256(repr((LAYOUT, recipe, shape, files)).encode()).hexdigest()[:16]


def _read_progress(path: Path, shape: tuple[int, int]) -> _Progress:
    """Progress of an earlier build; none where its files are absent, damaged or do not fit one another."""
    try:
        stored = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        progress = _Progress(int(stored["done"]), {int(place): str(why) for place, why in stored["skipped"].items()})
        if path.stat().st_size >= progress.kept * shape[0] * shape[1]:
            return progress
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return _Progress(0, {})


def _write_progress(path: Path, progress: _Progress) -> None:
    """Replace the file of progress in one step: the build is finished when it counts every row."""
    partial = path.with_suffix(".json.part")
    partial.write_text(json.dumps({"done": progress.done, "skipped": progress.skipped}), encoding="utf-8")
    partial.replace(path.with_suffix(".json"))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait while another process builds the same cache; the lock ends with the process that holds it."""
    with path.open("ab") as stream:
        if fcntl is not None:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.warning("cache: waiting for another process that builds %s", path.name)
                fcntl.flock(stream, fcntl.LOCK_EX)
        yield
