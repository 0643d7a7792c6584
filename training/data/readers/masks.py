"""Lesions from mask files: two grey levels distinguish a mask from a cropped picture, whatever a table calls it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.data.pictures import UNREADABLE, read_levels, reason

MEMORY = ".mammotriage-masks.json"
"""Beside the set, where its folder can be written: thousands of masks of 15 megapixels take minutes to read."""

GREY_SHARE = 0.25
"""Share of the pixels that are not black which may be grey in a mask: JPEG blurs its edge. In a picture nearly all of them are."""

TOLERANCE = 1.0
"""Pixels by which an outline may miss the edge of its mask."""


@dataclass(frozen=True)
class Scan:
    """What the pixels of one file are.

    Parameters
    ----------
    shape
        Rows, columns in pixels.
    box
        Left, top, right, bottom of what is white, ends exclusive; None where the file is no mask, or an empty one.
    outline
        (x, y) of the largest white region.
    error
        Why the file cannot be read; empty where it can.
    """

    shape: tuple[int, int] = (0, 0)
    box: tuple[int, int, int, int] | None = None
    outline: tuple[tuple[float, float], ...] = ()
    error: str = ""


def scan_masks(folder: Path, files: Iterable[Path]) -> dict[Path, Scan]:
    """Read the files in parallel; those of an earlier call, and of the same size, are remembered."""
    memory = _recall(folder / MEMORY)
    keys = {path: f"{path.relative_to(folder).as_posix()}:{path.stat().st_size}" for path in files}
    new = [path for path, key in keys.items() if key not in memory]
    if new:
        with ThreadPoolExecutor() as pool:
            memory |= dict(zip((keys[path] for path in new), tqdm(pool.map(scan, new), "masks", len(new), unit="file"), strict=True))
        with contextlib.suppress(OSError):  # a read-only set is read anew each time
            (folder / MEMORY).write_text(json.dumps({key: asdict(memory[key]) for key in keys.values()}), encoding="utf-8")
    return {path: memory[key] for path, key in keys.items()}


def scan(path: Path) -> Scan:
    """Look at one file."""
    try:
        levels = read_levels(path)
    except UNREADABLE as error:
        return Scan(error=reason(error))
    shape = (levels.shape[0], levels.shape[1])
    white = as_mask(levels)
    if white is None:
        return Scan(shape)
    left, top, width, height = cv2.boundingRect(white)
    lesion = white[top : top + height, left : left + width]
    contours, _ = cv2.findContours(lesion, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left, top))
    largest = cv2.approxPolyDP(max(contours, key=len), TOLERANCE, True)
    outline = tuple((float(x), float(y)) for x, y in largest[:, 0])
    return Scan(shape, (left, top, left + width, top + height), outline)


def as_mask(levels: NDArray[Any]) -> NDArray[np.uint8] | None:
    """255 where (rows, columns) levels are white, 0 elsewhere; None where they are a picture, or all of one level."""
    pixels = levels if levels.dtype in (np.uint8, np.uint16) else levels.astype(np.float32)
    low, high, _, _ = cv2.minMaxLoc(pixels)
    if low == high:
        return None
    margin = (high - low) / 8
    lit, bright = (cv2.countNonZero(_above(pixels, level)) for level in (low + margin, high - margin))
    if lit - bright > GREY_SHARE * lit:
        return None
    return _above(pixels, (low + high) / 2).astype(np.uint8, copy=False)


def _above(pixels: NDArray[Any], level: float) -> NDArray[Any]:
    return np.asarray(cv2.threshold(pixels, level, 255, cv2.THRESH_BINARY)[1])


def _recall(path: Path) -> dict[str, Scan]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {
            key: Scan(tuple(each["shape"]), tuple(each["box"]) if each["box"] else None, tuple(map(tuple, each["outline"])), each["error"])
            for key, each in stored.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
