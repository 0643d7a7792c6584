"""White or black background, from the pixels because headers can be wrong (all images of RSNA machines 29 and 210 are white)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

ALL = 0.98
"""Share of the pixels along an edge that may be called all of them: the rest are labels."""


def has_white_background(image: NDArray[np.uint8]) -> bool:
    """Tell whether air is bright.

    Air is the largest nearly uniform area of a mammogram, and it is outside the breast: the most frequent grey level among
    locally flat pixels decides.

    Parameters
    ----------
    image
        (rows, columns) grey levels.
    """
    small = np.asarray(cv2.resize(image, (192, 192), interpolation=cv2.INTER_AREA), np.uint8)
    blurred = cv2.blur(small, (5, 5)).astype(np.int16)
    spread = np.abs(small.astype(np.int16) - blurred)
    flat = small[cv2.blur(spread.astype(np.float32), (5, 5)) < 1.5]
    if flat.size < 0.02 * small.size:
        flat = small.ravel()
    histogram = np.bincount(flat.ravel() >> 3, minlength=32)
    middle = float(np.median(small))
    level = float(np.argmax(histogram)) * 8 + 4
    bright = float((small > 200).mean())
    dark = float((small < 55).mean())
    if abs(bright - dark) > 0.1:
        return bright > dark and level >= middle - 8 and not _has_dark_air(small)
    return level > 160 and not _has_dark_air(small)


def _has_dark_air(small: NDArray[np.uint8]) -> bool:
    """One side of the image is all dark, and the other not all bright: a large white implant in a breast that does not reach that side."""
    edges = [small[:, 2:6], small[:, -6:-2]]
    dark, bright = (max(float(within.mean()) for within in sides) for sides in ([e < 55 for e in edges], [e > 200 for e in edges]))
    return dark >= ALL and bright < ALL
