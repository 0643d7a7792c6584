"""Crops decoded once: a memory-mapped array of uint8 breast crops, so that epochs do not wait for JPEG."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.preprocessing.recipe import crop
from training.data.index import Row


def build_cache(rows: Sequence[Row], shape: tuple[int, int], folder: Path) -> NDArray[np.uint8]:
    """Crop every row's image to `shape` (rows, columns) with the recipe's geometry, once for a table and a shape.

    Returns
    -------
    (n, rows, columns) uint8, memory-mapped, read-only.
    """
    key = hashlib.sha256(repr((shape, [(str(row.file), row.inverted, row.mirrored) for row in rows])).encode()).hexdigest()[:16]
    path = folder / f"breast-stretch@1-{shape[0]}x{shape[1]}-{key}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        with ThreadPoolExecutor() as pool, partial.open("wb") as stream:
            images = tqdm(pool.map(lambda row: read_crop(row, shape), rows), total=len(rows), desc="crops", unit="image")
            np.save(stream, np.stack(list(images)))
        partial.rename(path)
    return np.asarray(np.load(path, mmap_mode="r"))


def read_crop(row: Row, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode one image, undo what its set did to it, cut out the breast."""
    image = cv2.imread(str(row.file), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"{row.file} is not a readable picture")
    if row.inverted:
        image = 255 - image
    if row.mirrored:
        image = image[:, ::-1]
    return crop(np.ascontiguousarray(image, np.uint8), shape)[0]
