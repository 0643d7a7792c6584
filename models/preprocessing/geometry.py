"""The position of the breast, and the mapping from source pixels to network pixels and back.

The published sets are stretched to a square, films are tall, detectors differ in size: a crop to the breast followed by a
stretch to a fixed size gives the same picture for all of them, because stretching before or after a crop commutes. The
side that touches the chest wall therefore needs no aspect ratio, only the crop (Yi et al. 2019, "Image Processing", resize
every film to a fixed square in the same way).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WORKING_SIDE = 384
"""Longer side, in pixels, at which the mask is computed; its cost does not depend on the detector."""

MIN_BREAST_FRACTION = 0.02
"""A foreground smaller than this fraction of the image is no breast: the whole image is used instead."""


@dataclass(frozen=True)
class Box:
    """Half-open rectangle ``[top, bottom) x [left, right)`` in pixels."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left


@dataclass(frozen=True)
class Placement:
    """How a network input was cut from its source image.

    Parameters
    ----------
    source_shape
        Rows, columns of the source image in pixels.
    box
        The crop in source pixels; it exceeds the edges of the image where the input is padded.
    output_shape
        Rows, columns of the network input in pixels.
    """

    source_shape: tuple[int, int]
    box: Box
    output_shape: tuple[int, int]

    def to_source(self, row: float, column: float) -> tuple[float, float]:
        """Map a point of the network input (pixels, top-left origin) to source pixels; a point in the padding goes to the edge."""
        return (
            min(max(self.box.top + row * self.box.height / self.output_shape[0], 0.0), float(self.source_shape[0])),
            min(max(self.box.left + column * self.box.width / self.output_shape[1], 0.0), float(self.source_shape[1])),
        )

    def map_to_source(self, heatmap: NDArray[np.float32], shape: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """Map a heatmap to the whole source image; it is 0 outside the crop, and the part over padding is dropped.

        Parameters
        ----------
        heatmap
            A map (h, w) over the crop, in any resolution.
        shape
            Rows, columns of the result; those of the source by default. A smaller shape saves memory for previews.
        """
        rows, columns = shape or self.source_shape
        scale_y, scale_x = rows / self.source_shape[0], columns / self.source_shape[1]
        top, bottom = round(self.box.top * scale_y), round(self.box.bottom * scale_y)
        left, right = round(self.box.left * scale_x), round(self.box.right * scale_x)
        answer = np.zeros((rows, columns), np.float32)
        size = (max(right - left, 1), max(bottom - top, 1))
        patch = cv2.resize(np.asarray(heatmap, np.float32), size, interpolation=cv2.INTER_CUBIC)
        patch = patch[max(-top, 0) : rows - top, max(-left, 0) : columns - left]
        top, left = max(top, 0), max(left, 0)
        answer[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
        return answer


def breast_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Separate the breast from air, markers, tape and frames.

    Parameters
    ----------
    image
        (rows, columns) grey levels with a dark background.

    Returns
    -------
    Mask of at most `WORKING_SIDE` pixels a side, with the aspect ratio of the image. All False without a foreground.
    """
    scale = WORKING_SIDE / max(image.shape)
    size = (max(round(image.shape[1] * scale), 8), max(round(image.shape[0] * scale), 8))
    small = cv2.GaussianBlur(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (5, 5), 0)
    histogram = np.bincount(small.ravel(), minlength=256)
    otsu = int(cv2.threshold(small, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0])
    background = int(np.argmax(histogram[: otsu + 1]))
    threshold = background + max(4.0, 0.3 * (otsu - background))
    foreground = (small > threshold).astype(np.uint8)
    rim = max(2, round(0.012 * WORKING_SIDE))
    foreground[:rim] = foreground[-rim:] = 0
    foreground[:, :rim] = foreground[:, -rim:] = 0
    opened = cv2.morphologyEx(foreground, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count < 2:
        return np.zeros(small.shape, np.bool_)
    breast = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    grown = cv2.copyMakeBorder(breast.astype(np.uint8)[rim:-rim, rim:-rim], rim, rim, rim, rim, cv2.BORDER_REPLICATE)
    return np.asarray(grown, np.bool_)


def chest_is_left(mask: NDArray[np.bool_]) -> bool:
    """Tell whether the chest wall is at the left edge: the breast touches it along most rows. True for an empty mask."""
    edge = max(2, mask.shape[1] // 50)
    left, right = int(mask[:, :edge].sum()), int(mask[:, -edge:].sum())
    if left == right:  # touches both edges or neither: the larger half decides
        left, right = (int(half.sum()) for half in (mask[:, : mask.shape[1] // 2], mask[:, -(mask.shape[1] // 2) :]))
    return left >= right


def chest_edge(mask: NDArray[np.bool_]) -> str:
    """The edge that the breast touches along most of its length: ``top``, ``right``, ``bottom`` or ``left``; '' for an empty mask."""
    edge = max(2, min(mask.shape) // 50)
    touched = {
        "left": float(mask[:, :edge].mean()),
        "right": float(mask[:, -edge:].mean()),
        "top": float(mask[:edge].mean()),
        "bottom": float(mask[-edge:].mean()),
    }
    longest = max(touched, key=lambda name: touched[name])
    return longest if touched[longest] else ""


def breast_box(mask: NDArray[np.bool_], source_shape: tuple[int, int], margin: float = 0.01) -> Box:
    """Bounding box of a mask in source pixels, grown by `margin` (fraction of each side); the whole image for an empty mask."""
    rows, columns = source_shape
    if mask.mean() < MIN_BREAST_FRACTION:
        return Box(0, 0, rows, columns)
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    scale_y, scale_x = rows / mask.shape[0], columns / mask.shape[1]
    return Box(
        top=max(0, int((ys[0] - margin * mask.shape[0]) * scale_y)),
        left=max(0, int((xs[0] - margin * mask.shape[1]) * scale_x)),
        bottom=min(rows, int(np.ceil((ys[-1] + 1 + margin * mask.shape[0]) * scale_y))),
        right=min(columns, int(np.ceil((xs[-1] + 1 + margin * mask.shape[1]) * scale_x))),
    )


def cut(image: NDArray[np.uint8], box: Box, shape: tuple[int, int]) -> tuple[NDArray[np.uint8], Placement]:
    """Cut `box` out of `image` and stretch it to `shape` (rows, columns)."""
    part = image[box.top : box.bottom, box.left : box.right]
    shrinks = part.shape[0] >= shape[0] and part.shape[1] >= shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(part, (shape[1], shape[0]), interpolation=interpolation)
    rows, columns = image.shape
    return np.asarray(resized, np.uint8), Placement((rows, columns), box, shape)
