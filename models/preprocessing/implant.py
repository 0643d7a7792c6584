"""A breast implant in an image: a large bright region without noise inside tissue that has noise.

Silicone and saline absorb so much that the display curve leaves no quantum noise in them (Eklund et al. 1988, "Improved imaging of the
augmented breast"): measured over the whole breast, such an image is as flat as a drawing.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preprocessing.geometry import breast_mask

WINDOW = 9
"""Side of the window, in sampled pixels, over which flatness is taken."""

MIN_LOCAL_FLATNESS = 0.55
"""Share of equal neighbours in a window from which its centre is flat."""

MIN_SHARE, MIN_TISSUE_SHARE = 0.15, 0.02
"""Share of the breast that the implant has at least, and that tissue must keep."""

MIN_SOLIDITY, MAX_EXTENT = 0.85, 0.93
"""Area over that of the convex hull, and over that of the smallest rectangle: 0.79 for ellipses and their halves, 1 for a page."""

MAX_EDGE_SHARE = 0.1
"""Share of an edge of the image that counts as touched: an implant reaches the chest wall alone, air in a negative reaches three edges."""

BAND = 15
"""Width, in sampled pixels, of the surroundings that an implant is compared with."""


def find_implant(pixels: NDArray[np.uint8], region: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Find an implant and the tissue around it.

    Parameters
    ----------
    pixels
        (rows, columns) grey levels with a dark background, about 768 pixels on the longer side.
    region
        The largest bright region, of the same shape.

    Returns
    -------
    Masks of the implant and of the tissue; None where there is no large, bright, round region without noise, or no tissue around it.
    """
    implant = _largest_flat_part(pixels, region)
    if implant is None or not _is_round(implant) or _touched_edges(implant) > 1:
        return None
    grown = cv2.dilate(implant.astype(np.uint8), np.ones((WINDOW, WINDOW), np.uint8)).astype(np.bool_)
    band = cv2.dilate(grown.astype(np.uint8), np.ones((BAND, BAND), np.uint8)).astype(np.bool_) & ~grown
    if not band.any() or np.median(pixels[implant]) <= np.median(pixels[band]):
        return None
    # Beside a bright implant tissue is almost as dark as air: it is found once the implant is as dark as its surroundings.
    without = np.where(grown, np.uint8(np.median(pixels[band])), pixels).astype(np.uint8)
    breast = _resize(breast_mask(without), pixels.shape) | implant
    tissue = breast & ~grown
    if tissue.sum() < MIN_TISSUE_SHARE * breast.sum():
        return None
    return implant, tissue


def _largest_flat_part(pixels: NDArray[np.uint8], region: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The part of the region whose neighbouring pixels have the same level, white included."""
    same = np.zeros(pixels.shape, np.float32)
    same[:, 1:] = (pixels[:, 1:] == pixels[:, :-1]) & (pixels[:, 1:] > 0)
    flat = ((cv2.blur(same, (WINDOW, WINDOW)) > MIN_LOCAL_FLATNESS) & region).astype(np.uint8)
    opened = cv2.morphologyEx(flat, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (WINDOW, WINDOW)))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count < 2:
        return None
    areas = stats[1:, cv2.CC_STAT_AREA]
    if areas.max() < max(MIN_SHARE * region.sum(), 0.8 * areas.sum()):
        return None
    outline, _ = cv2.findContours((labels == 1 + int(np.argmax(areas))).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled = cv2.drawContours(np.zeros(pixels.shape, np.uint8), outline, -1, 1, -1)
    return np.asarray(filled, np.bool_)


def _is_round(mask: NDArray[np.bool_]) -> bool:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea)
    area, (width, height) = cv2.contourArea(largest), cv2.minAreaRect(largest)[1]
    hull = cv2.contourArea(cv2.convexHull(largest))
    return bool(area >= MIN_SOLIDITY * max(hull, 1.0) and area <= MAX_EXTENT * max(width * height, 1.0))


def _touched_edges(mask: NDArray[np.bool_]) -> int:
    edges = (mask[:WINDOW].any(axis=0), mask[-WINDOW:].any(axis=0), mask[:, :WINDOW].any(axis=1), mask[:, -WINDOW:].any(axis=1))
    return sum(float(edge.mean()) > MAX_EDGE_SHARE for edge in edges)


def _resize(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    return cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST).astype(np.bool_)
