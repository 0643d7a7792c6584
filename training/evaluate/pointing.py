"""The pointing game: is the strongest cell of the cancer map inside a known lesion? (Zhang et al. 2018; DIB-MG shows it in Fig. 3.)"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.preprocessing.geometry import Placement
from models.preprocessing.recipe import Recipe
from training.data.pictures import UNREADABLE, read_picture
from training.data.table import Box, Row

Floats = NDArray[np.float64]


def peak_in_source(heat: NDArray[np.float32], placement: Placement) -> tuple[float, float]:
    """Row and column, in source pixels, of the centre of the strongest cell of an (h, w) map over the crop. As the service does it."""
    row, column = np.unravel_index(int(np.argmax(heat)), heat.shape)
    rows, columns = placement.output_shape
    return placement.to_source((float(row) + 0.5) * rows / heat.shape[0], (float(column) + 0.5) * columns / heat.shape[1])


def lesion_boxes(row: Row) -> list[Box]:
    """The malignant lesions of an image; all of them where the set does not say which are."""
    malignant = [roi.box for roi in row.rois if roi.pathology == "malignant"]
    return malignant or [roi.box for roi in row.rois if roi.pathology is None]


def hits(box: Box, point: tuple[float, float], tolerance: float = 0.0) -> bool:
    """Whether a (row, column) is in a box, or within `tolerance` pixels of it."""
    left, top, right, bottom = box
    return top - tolerance <= point[0] < bottom + tolerance and left - tolerance <= point[1] < right + tolerance


def covered(boxes: Sequence[Box], placement: Placement) -> float:
    """Share of the crop that the boxes cover: how often a blind guess hits."""
    crop = placement.box
    inside = np.zeros((max(crop.height, 1), max(crop.width, 1)), np.bool_)
    for left, top, right, bottom in boxes:
        inside[max(top - crop.top, 0) : max(bottom - crop.top, 0), max(left - crop.left, 0) : max(right - crop.left, 0)] = True
    return float(inside.mean())


def play(
    rows: Sequence[Row], heat: NDArray[np.float32], truth: NDArray[np.int64], recipe: Recipe, shape: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Play the game on every malignant image with a known lesion.

    Parameters
    ----------
    heat
        (n, h, w): the map of the malignant class of each image.
    truth
        1 where an image is malignant.
    recipe, shape
        Of the crops: the image is read again, because only its own pixels show the place of its crop.

    Returns
    -------
    1 for a hit, 0 for a miss, and the chance of a blind guess; NaN for images that do not play.
    """
    hit, chance = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    players = [index for index, row in enumerate(rows) if truth[index] == 1 and lesion_boxes(row)]
    for index in tqdm(players, desc="pointing game", unit="image", mininterval=5):
        boxes = lesion_boxes(rows[index])
        try:
            _, placement, _ = recipe.crop(read_picture(rows[index]), shape)
        except UNREADABLE:  # it was readable when the cache was built: the data folder changed since
            continue
        point = peak_in_source(heat[index], placement)
        hit[index] = float(any(hits(box, point) for box in boxes))
        chance[index] = covered(boxes, placement)
    return hit, chance
