"""The cancer heatmap: a colour overlay for people, and numbers in the geometry of the source for programs."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preprocessing.geometry import Placement
from service.domain.findings import Peak

PREVIEW_SIDE = 1024
"""Longer side of previews and overlays in pixels."""

OPACITY = 0.55

LEAST_SHOWN = 0.3
"""Suspicion below this gets no colour: the network gives about as much to air."""

FINENESS = 8
"""The outline is computed on a map that is this many times finer than that of the network."""

HEIGHT = 0.75
"""Level of the outline between median and peak. Strong maps are saturated around the peak: at half the height they cover half a breast."""

MOST_CORNERS = 64
LEAST_CONTRAST = 0.01
"""A peak that is less than this above the median of its map has no outline."""


def preview_shape(source: tuple[int, int]) -> tuple[int, int]:
    """Rows, columns of a preview of a source image; never larger than the source."""
    scale = min(1.0, PREVIEW_SIDE / max(source))
    return max(1, round(source[0] * scale)), max(1, round(source[1] * scale))


def suspicion(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Class-activation logits (h, w) to suspicion in [0, 1]: the logistic function, so that a cell of the map reads like a score."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def find_peak(heat: NDArray[np.float32], placement: Placement) -> Peak:
    """The centre of the strongest cell of a map over the crop, in source pixels."""
    row, column = np.unravel_index(int(np.argmax(heat)), heat.shape)
    rows, columns = placement.output_shape
    y, x = placement.to_source((row + 0.5) * rows / heat.shape[0], (column + 0.5) * columns / heat.shape[1])
    return Peak(row=round(y, 1), column=round(x, 1), strength=round(float(heat[row, column]), 6))


def find_outline(heat: NDArray[np.float32], placement: Placement) -> tuple[tuple[float, float], ...]:
    """The border of the region around the strongest cell, as corners (row, column) in source pixels, in order.

    The region is connected to the peak and above `HEIGHT` between the median of the map (tissue without suspicion) and the peak. A flat
    map has no region: the result is empty.
    """
    low, high = float(np.median(heat)), float(heat.max())
    if high - low < LEAST_CONTRAST:
        return ()
    row, column = np.unravel_index(int(np.argmax(heat)), heat.shape)
    size = (heat.shape[1] * FINENESS, heat.shape[0] * FINENESS)
    fine = cv2.resize(np.asarray(heat, np.float32), size, interpolation=cv2.INTER_LINEAR)
    above = (fine >= low + HEIGHT * (high - low)).astype(np.uint8)
    _, regions = cv2.connectedComponents(above, connectivity=4)
    region = regions == regions[int(row) * FINENESS + FINENESS // 2, int(column) * FINENESS + FINENESS // 2]
    # A border of zeros closes a region at the edge of the map along the edge.
    contours, _ = cv2.findContours(np.pad(region.astype(np.uint8), 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    border = max(contours, key=cv2.contourArea)
    tolerance = 0.5
    while len(border) > MOST_CORNERS:
        border = cv2.approxPolyDP(border, tolerance, True)
        tolerance *= 1.5
    rows, columns = placement.output_shape
    corners = []
    for x, y in border[:, 0]:
        # Back to cells: the border is one pixel wide, and a contour runs through the centres of pixels.
        source = placement.to_source((y - 0.5) * rows / fine.shape[0], (x - 0.5) * columns / fine.shape[1])
        corners.append((round(source[0], 1), round(source[1], 1)))
    distinct = tuple(dict.fromkeys(corners))
    return distinct if len(distinct) >= 3 else ()


def overlay(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Blend a map over an image of the same (rows, columns): RGB, opaque where the suspicion is high, transparent where it is low."""
    colours = cv2.cvtColor(cv2.applyColorMap(np.asarray(heat * 255, np.uint8), cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    strength = (OPACITY * np.clip((heat - LEAST_SHOWN) / 0.4, 0, 1))[..., None]
    blended = pixels[..., None] * (1 - strength) + colours * strength
    return np.asarray(np.clip(blended, 0, 255), np.uint8)


def shrink(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A preview of at most `PREVIEW_SIDE` pixels a side."""
    rows, columns = preview_shape((pixels.shape[0], pixels.shape[1]))
    return np.asarray(cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Grey (rows, columns) or RGB (rows, columns, 3) to PNG."""
    done, data = cv2.imencode(".png", pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError("PNG encoding failed")
    return bytes(data)


def decode_png(data: bytes) -> NDArray[np.uint8]:
    """PNG to RGB (rows, columns, 3)."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("not a PNG")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def encode_array(heat: NDArray[np.float32], source: tuple[int, int]) -> bytes:
    """The map over the whole source as a compressed npz: `heat` (float16, at preview size) and `source_shape` (rows, columns)."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, heat=heat.astype(np.float16), source_shape=np.asarray(source, np.int32))
    return buffer.getvalue()
