"""Stored values to grey levels by one table: modality LUT, VOI, inversion and padding folded into it (PS3.3 C.11, PS3.4 N.2).

A table of at most 65,536 entries is computed and indexed once: about ten times faster than the functions on every pixel, and exact up
to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from models.attributes import read_items, read_number, read_term

DARKEST_PERCENTILE, BRIGHTEST_PERCENTILE = 0.1, 99.9
"""Displayed range without a window in the header: a few dead or saturated pixels must not decide it."""

SAMPLED_SIDE = 1024
"""Percentiles are taken from a grid of about this many pixels a side: reading every pixel changes nothing but the time."""


def to_grey(stored: NDArray[Any], dataset: Dataset, inverted: bool = False) -> NDArray[np.uint8]:
    """Render stored values for display.

    Parameters
    ----------
    stored
        (rows, columns) uint8, int8, uint16 or int16, as `models.preprocessing.decode.decode` returns them.
    dataset
        Its header. Attributes that cannot be read count as absent.
    inverted
        Invert against the header, because the pixels show a white background. Padding stays black.

    Returns
    -------
    (rows, columns) grey levels; air is black where the header is right.
    """
    table = grey_table(stored, dataset, inverted)
    return np.take(table, stored.view(f"u{stored.dtype.itemsize}"))


def grey_table(stored: NDArray[Any], dataset: Dataset, inverted: bool = False) -> NDArray[np.uint8]:
    """The table behind `to_grey`: grey level by stored value, negative values in their two's complement places."""
    bits = 8 * stored.dtype.itemsize
    values = np.arange(2**bits, dtype=f"u{stored.dtype.itemsize}").view(stored.dtype).astype(np.float64)
    padding = find_padding(values, dataset)
    used = used_values(stored)
    modality = apply_modality(values, dataset, used)
    shown = _apply_voi(modality, dataset, used)
    if shown is None:
        shown = _stretch(modality, stored, padding)
    if is_inverse(dataset) != inverted:
        shown = 1.0 - shown
    return np.where(padding, np.uint8(0), np.rint(255.0 * np.clip(shown, 0.0, 1.0)).astype(np.uint8))


def stretch_to_grey(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey levels of an image without a header: uint8 as it is, uint16 stretched over its used range."""
    return np.asarray(pixels, np.uint8) if pixels.dtype == np.uint8 else to_grey(pixels, Dataset())


def find_padding(values: NDArray[np.float64], dataset: Dataset) -> NDArray[np.bool_]:
    """Stored values of padding: Pixel Padding Value, up to Pixel Padding Range Limit (PS3.3 C.7.5.1.1.2)."""
    first = read_number(dataset, "PixelPaddingValue")
    if first is None:
        return np.zeros(values.shape, np.bool_)
    last = read_number(dataset, "PixelPaddingRangeLimit")
    ends = [_as_stored_value(end, values) for end in (first, first if last is None else last)]
    return np.asarray((values >= min(ends)) & (values <= max(ends)))


def used_values(stored: NDArray[Any]) -> NDArray[np.bool_]:
    """By stored value, as `grey_table`: whether a sample of the pixels has it."""
    return np.bincount(_sample(stored), minlength=2 ** (8 * stored.dtype.itemsize)) > 0


def apply_modality(values: NDArray[np.float64], dataset: Dataset, used: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Modality LUT Sequence, or Rescale Slope and Intercept (PS3.3 C.11.1).

    Parameters
    ----------
    used
        Which of `values` occur (`used_values`); all where None. It decides the sign of a first mapped value with the wrong VR.
    """
    table = _read_table(dataset, "ModalityLUTSequence")
    if table is not None:
        entries, first, _ = table
        return _look_up(values, entries, _first_mapped(first, entries.size, values, used))
    slope, intercept = read_number(dataset, "RescaleSlope"), read_number(dataset, "RescaleIntercept")
    return values * (1.0 if slope in (None, 0.0) else slope) + (intercept or 0.0)


def apply_voi_table(
    values: NDArray[np.float64], dataset: Dataset, used: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], float] | None:
    """The outputs of the first VOI LUT and its largest possible output; None where the header has no usable one."""
    table = _read_table(dataset, "VOILUTSequence")
    if table is None:
        return None
    entries, first, top = table
    return _look_up(values, entries, _first_mapped(first, entries.size, values, used)), top


def _apply_voi(values: NDArray[np.float64], dataset: Dataset, used: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """The first VOI LUT, else the first window, as 0 to 1 (PS3.3 C.11.2); None where the header has no usable one."""
    looked_up = apply_voi_table(values, dataset, used)
    if looked_up is not None:
        return looked_up[0] / looked_up[1]
    centre, width = read_number(dataset, "WindowCenter"), read_number(dataset, "WindowWidth")
    if centre is None or width is None or width <= 0:
        return None
    match read_term(dataset, "VOILUTFunction"):
        case "SIGMOID":
            return np.asarray(1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -700.0, 700.0))))
        case "LINEAR_EXACT":
            return (values - centre) / width + 0.5
        case _ if width > 1:
            return (values - (centre - 0.5)) / (width - 1.0) + 0.5
        case _ if width == 1:
            return np.asarray(values > centre - 0.5, np.float64)
    return None


def _stretch(modality: NDArray[np.float64], stored: NDArray[Any], padding: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The used range of the pixels without padding, as 0 to 1."""
    used = used_range(modality, stored, padding)
    if used is None:
        return np.zeros_like(modality)
    low, high = used
    return np.asarray((modality - low) / max(high - low, 1e-6))


def used_range(values: NDArray[np.float64], stored: NDArray[Any], padding: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Darkest and brightest value of the pixels, by percentiles; None where all are padding.

    Parameters
    ----------
    values, padding
        By stored value, as `grey_table`.
    """
    sample = _sample(stored)
    used = values[sample[~padding[sample]]]
    if not used.size:
        return None
    low, high = np.percentile(used, (DARKEST_PERCENTILE, BRIGHTEST_PERCENTILE))
    return float(low), float(high)


def _sample(stored: NDArray[Any]) -> NDArray[Any]:
    """Places in the table of a grid of pixels."""
    step = max(1, min(stored.shape) // SAMPLED_SIDE)
    return stored[::step, ::step].reshape(-1).view(f"u{stored.dtype.itemsize}")


def is_inverse(dataset: Dataset) -> bool:
    """Presentation LUT Shape decides; without one MONOCHROME1 does (PS3.3 C.11.4, C.7.6.3.1.2)."""
    shape = read_term(dataset, "PresentationLUTShape")
    return shape == "INVERSE" if shape else read_term(dataset, "PhotometricInterpretation") == "MONOCHROME1"


def _read_table(dataset: Dataset, keyword: str) -> tuple[NDArray[np.float64], float, float] | None:
    """Entries, first mapped value and largest output of the first item of a LUT sequence (PS3.3 C.11.1.1.1); None for an unusable one."""
    try:
        item = read_items(dataset, keyword)[0]
        length, first, bits = (int(number) for number in item.LUTDescriptor)
        data = item.LUTData
        length = length & 0xFFFF or 65536
        if isinstance(data, bytes):
            little_endian = getattr(item, "original_encoding", (None, True))[1] is not False
            wide = len(data) >= 2 * length
            entries = np.frombuffer(data, ("<u2" if little_endian else ">u2") if wide else "u1")[:length].astype(np.float64)
        else:
            entries = np.asarray(data, np.float64).reshape(-1)[:length] % 65536
    except Exception:  # pydicom raises anything for damaged bytes; an unreadable table counts as absent
        return None
    if entries.size != length or not 1 <= bits <= 16:
        return None
    return entries, float(first), _largest_output(entries, bits)


def _largest_output(entries: NDArray[np.float64], bits: int) -> float:
    """White of a table, by the bits that its entries use.

    Some devices announce 16 bits for entries of 10 or 12 (dicom-rs pull request 825, Agfa): believed, the picture would be black. Others
    announce too few.
    """
    used_bits = int(entries.max()).bit_length()
    return 2.0 ** (max(used_bits, min(bits, 8)) if used_bits else bits) - 1


def _look_up(values: NDArray[np.float64], entries: NDArray[np.float64], first: float) -> NDArray[np.float64]:
    places = np.clip(np.rint(values - first), 0, entries.size - 1).astype(np.intp)
    return np.asarray(entries[places])


def _first_mapped(number: float, length: int, values: NDArray[np.float64], used: NDArray[np.bool_] | None) -> float:
    """First mapped value of a LUT descriptor, whose VR (US or SS) can be wrong: the reading whose table covers more of the used values."""
    occurring = values if used is None else values[used]
    likely = _as_stored_value(number, values)
    readings = [likely, *(each for each in (number, number + 65536, number - 65536) if each != likely)]
    return max(readings, key=lambda first: int(np.count_nonzero((occurring >= first) & (occurring < first + length))))


def _as_stored_value(number: float, values: NDArray[np.float64]) -> float:
    """Undo a wrong VR or the guess of implicit transfer syntaxes.

    Among signed values 65535 means -1, among unsigned ones -1 means 65535.
    """
    lowest, size = float(values.min()), values.size
    if lowest < 0:
        return number - max(size, 65536 if number >= 32768 else size) if number >= size / 2 else number
    return number % size if number < 0 else number
