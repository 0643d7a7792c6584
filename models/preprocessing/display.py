"""Pixels for a viewer: values before the window, unlike the finished grey levels for the networks.

The steps before the window (modality LUT, VOI LUT, padding) are folded into one table as in `models.preprocessing.intensity`; the
viewer applies the window (PS3.3 C.11.2.1.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from models.attributes import read, read_number, read_term
from models.preprocessing.decode import MAX_PIXELS, decode
from models.preprocessing.intensity import apply_modality, apply_voi_table, find_padding, is_inverse, to_grey, used_range
from models.preprocessing.polarity import has_white_background

LARGEST = 65535
MOST_WINDOWS = 8


@dataclass(frozen=True)
class Window:
    """A window over the values (PS3.3 C.11.2.1.2)."""

    centre: float
    width: float
    name: str = ""


@dataclass(frozen=True)
class DisplayPixels:
    """An image before the window.

    Parameters
    ----------
    values
        (rows, columns) uint16.
    inverse
        The smallest value is white, by the header or by the background.
    intercept, slope
        From a value to the units of the header: ``slope * value + intercept``.
    windows
        In units of `values`; at least one, the first is the default.
    curve
        Shape of the window.
    windows_from
        Source of the windows: the window of the header, its VOI LUT (which is then applied to the values), or the range of the pixels.
    spacing_mm
        Between rows and between columns; None where the header has none. At the detector where the header has only that spacing.
    """

    values: NDArray[np.uint16]
    inverse: bool
    intercept: float
    slope: float
    windows: tuple[Window, ...]
    curve: Literal["linear", "linear-exact", "sigmoid"]
    windows_from: Literal["window", "lut", "pixels"]
    bits_stored: int
    spacing_mm: tuple[float, float] | None


def display_pixels(dataset: Dataset, max_pixels: int = MAX_PIXELS) -> DisplayPixels:
    """Decode the first frame of a data set for a viewer.

    Padding gets the darkest value. Attributes that cannot be read count as absent.

    Raises
    ------
    Undecodable, PixelsContradictHeader, ImageTooLarge, NotGrey
        As `models.preprocessing.decode.decode`.
    """
    stored = decode(dataset, max_pixels)
    bits = 8 * stored.dtype.itemsize
    every = np.arange(2**bits, dtype=f"u{stored.dtype.itemsize}").view(stored.dtype).astype(np.float64)
    padding = find_padding(every, dataset)
    places = stored.view(f"u{stored.dtype.itemsize}")
    used = np.bincount(places.reshape(-1), minlength=every.size) > 0
    with np.errstate(all="ignore"):
        meant = apply_modality(every, dataset, used)
        rendered = to_grey(stored, dataset)
    if not np.isfinite(meant).all():  # an impossible slope
        meant = every
    looked_up = apply_voi_table(meant, dataset, used)
    if looked_up is not None:
        meant = looked_up[0]
    intercept, slope = _units(meant[used & ~padding])
    table = np.clip(np.rint((meant - intercept) / slope), 0, LARGEST).astype(np.uint16)
    inverse = is_inverse(dataset) != has_white_background(rendered)
    if padding.any():
        table[padding] = table[used & ~padding].max(initial=0) if inverse else 0
    declared = () if looked_up is not None else _declared_windows(dataset, intercept, slope)
    if looked_up is not None:
        windows: tuple[Window, ...] = (_span(-intercept / slope, (looked_up[1] - intercept) / slope, slope),)
    else:
        windows = declared or (_span(*(used_range(table.astype(np.float64), stored, padding) or (0.0, 1.0)), slope),)
    return DisplayPixels(
        values=np.take(table, places),
        inverse=inverse,
        intercept=intercept,
        slope=slope,
        windows=windows,
        curve=_curve(dataset) if declared else "linear",
        windows_from="lut" if looked_up is not None else "window" if declared else "pixels",
        bits_stored=int(read_number(dataset, "BitsStored") or bits),
        spacing_mm=_spacing(dataset),
    )


def _units(meant: NDArray[np.float64]) -> tuple[float, float]:
    """Intercept and slope that bring values into 0 to 65535; 0 and 1 where they fit as they are, so that people read familiar numbers."""
    if not meant.size:
        return 0.0, 1.0
    low, high = float(meant.min()), float(meant.max())
    whole = bool(np.all(meant == np.rint(meant)))
    if whole and low >= 0 and high <= LARGEST:
        return 0.0, 1.0
    return low, 1.0 if whole and high - low <= LARGEST else max((high - low) / LARGEST, 1e-12)


def _declared_windows(dataset: Dataset, intercept: float, slope: float) -> tuple[Window, ...]:
    centres, widths = (_numbers(read(dataset, keyword)) for keyword in ("WindowCenter", "WindowWidth"))
    names = _all_values(read(dataset, "WindowCenterWidthExplanation"))
    return tuple(
        Window((centre - intercept) / slope, width / slope, str(names[place]).strip() if place < len(names) else "")
        for place, (centre, width) in enumerate(zip(centres, widths, strict=False))
        if width > 0
    )[:MOST_WINDOWS]


def _span(low: float, high: float, slope: float) -> Window:
    """The window from black at `low` to white at `high`; a linear window is one unit of the header narrower than its width."""
    unit = 1.0 / slope
    return Window((low + high + unit) / 2.0, max(high - low, unit) + unit)


def _curve(dataset: Dataset) -> Literal["linear", "linear-exact", "sigmoid"]:
    match read_term(dataset, "VOILUTFunction"):
        case "SIGMOID":
            return "sigmoid"
        case "LINEAR_EXACT":
            return "linear-exact"
    return "linear"


def _spacing(dataset: Dataset) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        numbers = _numbers(read(dataset, keyword))
        if len(numbers) >= 2 and min(numbers[:2]) > 0 and max(numbers[:2]) < 10:
            return numbers[0], numbers[1]
    return None


def _all_values(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if hasattr(value, "__iter__") and not isinstance(value, str | bytes) else [value]


def _numbers(value: Any) -> list[float]:
    numbers: list[float] = []
    for each in _all_values(value):
        try:
            number = float(each)
        except (TypeError, ValueError, OverflowError):
            return numbers
        if not np.isfinite(number):
            return numbers
        numbers.append(number)
    return numbers
