"""Whether pixels can be a mammogram at all, for headers that are wrong: text pages, test patterns, blank exposures, chests.

The checks hold for every mammogram of any detector: enough pixels and grey levels, one large bright region with a smooth edge on a
darker background, and quantum noise inside it (beside an implant, which has none). They cannot distinguish a breast from another organ.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preprocessing.geometry import breast_mask
from models.preprocessing.implant import find_implant

MIN_SIDE = 256
"""Pixels; the networks would magnify anything smaller."""

MIN_SPREAD, MIN_LEVELS = 8, 64
"""Grey levels between the darkest and brightest 0.5 %, and distinct ones. RSNA's and mini-MIAS' poorest images have 40 and 150."""

MIN_FRACTION, MAX_FRACTION = 0.03, 0.95
"""Share of the foreground in the image; 0.06 to 0.86 in the same sets."""

MIN_SOLIDITY = 0.68
"""Area of the region over that of its convex hull."""

MAX_FLAT_SHARE = 0.6
"""Share of neighbours in the region with exactly the same, unsaturated level; noise keeps it below 0.45 even in JPEG images."""

MIN_ROUGHNESS = 1.0
"""Grey levels by which a pixel of the tissue beside an implant differs from the mean of its neighbours, on average and doubled: a drawn
gradient has at most one level of rounding."""

MIN_SHADED_SHARE = 0.1
"""Share of the region that is neither black nor white."""

SAMPLED_SIDE = 768


class Doubt(NamedTuple):
    """Why an image is probably no mammogram."""

    code: str
    text: str


def looks_like_mammogram(pixels: NDArray[np.uint8]) -> Doubt | None:
    """Find a reason to doubt that an image is a mammogram.

    Parameters
    ----------
    pixels
        (rows, columns) grey levels with a dark background.

    Returns
    -------
    None for a plausible mammogram, else the reason: ``too-small``, ``blank``, ``too-few-grey-levels``, ``no-breast``, ``test-pattern``.
    """
    if min(pixels.shape) < MIN_SIDE:
        return Doubt("too-small", f"{pixels.shape[0]} x {pixels.shape[1]} pixels are too few for a mammogram")
    step = max(1, round(max(pixels.shape) / SAMPLED_SIDE))
    sample = pixels[::step, ::step]
    low, high = np.percentile(sample, (0.5, 99.5))
    if high - low < MIN_SPREAD:
        return Doubt("blank", "the image is blank")
    if np.count_nonzero(np.bincount(sample.reshape(-1), minlength=256)) < MIN_LEVELS:
        return Doubt("too-few-grey-levels", "the image has too few grey levels for a mammogram: text or graphics")
    mask = breast_mask(pixels)
    if not MIN_FRACTION <= mask.mean() <= MAX_FRACTION or solidity(mask) < MIN_SOLIDITY:
        return Doubt("no-breast", "no region of the image has the shape of a breast")
    region = cv2.resize(mask.astype(np.uint8), sample.shape[::-1], interpolation=cv2.INTER_NEAREST).astype(np.bool_)
    if _is_exposed(sample, region):
        return None
    implant = find_implant(sample, region)
    if implant is not None and _is_exposed(sample, implant[1]) and roughness(sample, implant[1]) >= MIN_ROUGHNESS:
        return None
    return Doubt("test-pattern", "the image is drawn, not exposed: a test pattern or graphics")


def _is_exposed(pixels: NDArray[np.uint8], region: NDArray[np.bool_]) -> bool:
    """A region has quantum noise and shades of grey."""
    return flat_share(pixels, region) <= MAX_FLAT_SHARE and shaded_share(pixels, region) >= MIN_SHADED_SHARE


def solidity(mask: NDArray[np.bool_]) -> float:
    """Area of the largest region over the area of its convex hull, 0 to 1."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return 0.0
    largest = max(contours, key=cv2.contourArea)
    return float(cv2.contourArea(largest) / max(cv2.contourArea(cv2.convexHull(largest)), 1.0))


def flat_share(pixels: NDArray[np.uint8], region: NDArray[np.bool_]) -> float:
    """Share of a region's pixels that have exactly their left neighbour's level; saturated ones count as different."""
    level, inside = pixels[:, 1:], region[:, 1:]
    same = (level == pixels[:, :-1]) & (level > 0) & (level < 255)
    return float(same[inside].mean()) if inside.any() else 1.0


def shaded_share(pixels: NDArray[np.uint8], region: NDArray[np.bool_]) -> float:
    """Share of a region's pixels that are neither black nor white."""
    level = pixels[region]
    return float(((level > 2) & (level < 253)).mean()) if level.size else 0.0


def roughness(pixels: NDArray[np.uint8], region: NDArray[np.bool_]) -> float:
    """Mean second difference along the rows of a region, in grey levels."""
    level = pixels.astype(np.int32)
    second = np.abs(level[:, 2:] - 2 * level[:, 1:-1] + level[:, :-2])[region[:, 1:-1]]
    return float(second.mean()) if second.size else 0.0
