"""Which bits of a decoded cell are the pixel, where the header and the values disagree (PS3.5 section 8.1.1, PS3.3 C.7.6.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import PixelsContradictHeader

SAMPLED_ROWS = 1024
"""Rows that decide whether bits above Bits Stored are rubbish."""

STEADY_SHARE = 0.9
"""Share of neighbours that must stay near each other once the bits above Bits Stored are cleared."""


@dataclass(frozen=True)
class CellLayout:
    """Place of the pixel in its cell.

    Parameters
    ----------
    bits_allocated, bits_stored, high_bit, signed
        As the header declares them.
    precision
        Bits of a sample as the codestream declares them; None for native and RLE pixel data, which say nothing.
    overlay_bits
        Cell bits that the header declares as overlay planes (retired Overlay Bit Position).
    """

    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    precision: int | None = None
    overlay_bits: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(f"<{'i' if self.signed else 'u'}{self.bits_allocated // 8}")


def read_cells(values: NDArray[Any], layout: CellLayout) -> NDArray[Any]:
    """Stored values of decoded cells.

    The codestream's precision counts where it is above Bits Stored. In native cells nothing but Bits Stored says how wide a pixel is: bits
    above it are cleared where they are an overlay or rubbish, and values that need them are an error.

    Raises
    ------
    PixelsContradictHeader
        Values need more bits than the header stores, or are negative although it says unsigned, and nothing decides which is right.
    """
    if values.dtype.kind == "i" and not layout.signed and values.size and int(values.min()) < 0:
        raise PixelsContradictHeader("the codestream holds negative values, the header says unsigned")
    cells = values.astype(f"<u{layout.bits_allocated // 8}") & _mask(layout, layout.precision or layout.bits_allocated)
    if layout.overlay_bits:
        cells &= cells.dtype.type(~layout.overlay_bits & (2**layout.bits_allocated - 1))
    if _is_left_aligned(cells, layout):
        return _extend(cells >> (layout.high_bit + 1 - layout.bits_stored), layout, layout.bits_stored)
    bits = min(layout.bits_stored, layout.precision or layout.bits_stored)
    narrow = _extend(cells, layout, bits)
    if not _has_more_bits(cells, narrow, layout) or _is_rubbish(cells, narrow, bits):
        return narrow
    if layout.precision is None:
        raise PixelsContradictHeader(f"pixel values need more than the {layout.bits_stored} bits that the header stores")
    return _extend(cells, layout, layout.precision)


def _mask(layout: CellLayout, bits: int) -> Any:
    return np.dtype(f"<u{layout.bits_allocated // 8}").type(2**bits - 1)


def _extend(cells: NDArray[Any], layout: CellLayout, bits: int) -> NDArray[Any]:
    """The lowest `bits` of each cell, sign-extended where the header says signed."""
    unused = layout.bits_allocated - bits
    if not layout.signed:
        return np.asarray(cells & _mask(layout, bits), layout.dtype)
    return np.asarray((cells.view(layout.dtype) << unused) >> unused)


def _is_left_aligned(cells: NDArray[Any], layout: CellLayout) -> bool:
    """The pixel ends at a High Bit above Bits Stored - 1, as early versions of the standard allowed, and no bit below it is in use."""
    shift = layout.high_bit + 1 - layout.bits_stored
    if shift <= 0 or layout.high_bit >= layout.bits_allocated:
        return False
    below, above = 2**shift - 1, ~(2 ** (layout.high_bit + 1) - 1) & (2**layout.bits_allocated - 1)
    used = int(np.bitwise_or.reduce(cells, axis=None)) if cells.size else 0
    return used != 0 and not used & below and not used & above


def _has_more_bits(cells: NDArray[Any], narrow: NDArray[Any], layout: CellLayout) -> bool:
    """Some cell has bits above the narrow value that are neither clear, nor its sign, nor the same in all cells."""
    above = cells & ~_mask(layout, min(layout.bits_stored, layout.precision or layout.bits_stored))
    if not above.any():
        return False
    if layout.signed and np.array_equal(narrow.view(cells.dtype) & _mask(layout, layout.precision or layout.bits_allocated), cells):
        return False
    return bool((above != above.flat[0]).any())


def _is_rubbish(cells: NDArray[Any], narrow: NDArray[Any], bits: int) -> bool:
    """Whether the picture is continuous without the bits above.

    Where these bits change from one pixel to the next, the value below them stays about the same if they are not part of it (an overlay,
    leftovers), and jumps by almost its whole range if they are (a carry).
    """
    rows = slice(None, None, max(1, cells.shape[0] // SAMPLED_ROWS))
    above = cells[rows] >> bits
    changed = above[:, 1:] != above[:, :-1]
    steps = np.abs(np.diff(narrow[rows].astype(np.int32), axis=1))[changed]
    return bool(steps.size and (steps < 2**bits // 8).mean() >= STEADY_SHARE)
