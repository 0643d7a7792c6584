"""Stored pixel values of a DICOM data set in any transfer syntax; a damaged one gives an error of `models.errors`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from models.errors import ImageTooLarge, NotGrey, Undecodable
from models.foreign_parsers import translate_errors
from models.preprocessing.codestream import END_OF_IMAGE, image_size

MAX_PIXELS = 100_000_000
"""Rows x columns; the largest mammography detectors have about 5,000 x 6,000."""

NATIVE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian})

FAST_DECODERS: dict[str, Callable[[bytes], NDArray[Any]]] = {
    JPEGLossless: imagecodecs.ljpeg_decode,
    JPEGLosslessSV1: imagecodecs.ljpeg_decode,
    JPEGLSLossless: imagecodecs.jpegls_decode,
    JPEGLSNearLossless: imagecodecs.jpegls_decode,
    JPEG2000Lossless: imagecodecs.jpeg2k_decode,
    JPEG2000: imagecodecs.jpeg2k_decode,
}
"""imagecodecs releases the GIL and is the fastest at JPEG Lossless; what is not listed here goes to pydicom's pylibjpeg plugins.
RLE must not be listed: imagecodecs 2026.3 crashes the process on a truncated RLE segment."""


@dataclass(frozen=True)
class _Layout:
    """The attributes of the Image Pixel module (PS3.3 C.7.6.3) that one grey frame needs."""

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    syntax: UID

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(f"<{'i' if self.signed else 'u'}{self.bits_allocated // 8}")


def decode(dataset: Dataset, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """Decode the first frame.

    Parameters
    ----------
    dataset
        A data set with file meta information and Pixel Data.
    max_pixels
        Largest rows x columns that is decoded.

    Returns
    -------
    (rows, columns) stored values, before any LUT: uint8, int8, uint16 or int16. Bits above Bits Stored (old overlays) are cleared.

    Raises
    ------
    Undecodable
        No pixel data, an impossible header, truncated or damaged data, a codestream of another size than in the header, or no decoder.
    ImageTooLarge
        The header or the codestream announces more than `max_pixels`.
    NotGrey
        More than one sample per pixel, or a colour palette.
    """
    with translate_errors(Undecodable, "the image header cannot be read"):  # pydicom converts values on first access
        data = dataset["PixelData"].value if "PixelData" in dataset else b""
        layout = _read_layout(dataset) if data else None
    if layout is None or not isinstance(data, bytes):
        raise Undecodable("there is no pixel data")
    if layout.rows * layout.columns > max_pixels:
        raise ImageTooLarge(f"{layout.rows} x {layout.columns} pixels are more than the limit of {max_pixels}")
    native = layout.syntax in NATIVE
    stored = _read_native(data, layout) if native else _read_compressed(dataset, data, layout, max_pixels)
    if stored.shape != (layout.rows, layout.columns):
        raise Undecodable(f"the pixel data decode to {stored.shape}, the header says ({layout.rows}, {layout.columns})")
    return _as_stored(stored, layout)


def _read_layout(dataset: Dataset) -> _Layout:
    if int(dataset.get("SamplesPerPixel") or 1) != 1 or "PALETTE" in str(dataset.get("PhotometricInterpretation") or ""):
        raise NotGrey("the image has colour")
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    if syntax is None:
        raise Undecodable("the transfer syntax is not named")
    allocated = int(dataset.BitsAllocated)
    layout = _Layout(
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        bits_allocated=allocated,
        bits_stored=int(dataset.get("BitsStored") or allocated),
        signed=int(dataset.get("PixelRepresentation") or 0) == 1,
        syntax=UID(str(syntax)),
    )
    if layout.rows < 1 or layout.columns < 1:
        raise Undecodable("the image has no rows or no columns")
    if allocated not in (8, 16) or not 1 <= layout.bits_stored <= allocated:
        raise Undecodable(f"{layout.bits_stored} bits stored in {allocated} allocated are no grey image")
    return layout


def _read_native(data: bytes, layout: _Layout) -> NDArray[Any]:
    count = layout.rows * layout.columns
    if len(data) < count * layout.dtype.itemsize:
        raise Undecodable(f"the pixel data are truncated: {len(data)} bytes of {count * layout.dtype.itemsize}")
    return np.frombuffer(data, layout.dtype, count).reshape(layout.rows, layout.columns)


def _read_compressed(dataset: Dataset, data: bytes, layout: _Layout, max_pixels: int) -> NDArray[Any]:
    with translate_errors(Undecodable, f"no decoder reads this {layout.syntax.name} pixel data"):
        if layout.syntax != RLELossless:
            frame = get_frame(data, 0, number_of_frames=int(dataset.get("NumberOfFrames") or 1))
            _check_codestream(frame, layout, max_pixels)
            if layout.syntax in FAST_DECODERS:
                return FAST_DECODERS[layout.syntax](frame)
        stored, _ = get_decoder(layout.syntax).as_array(dataset, index=0, raw=True)
    return stored


def _check_codestream(frame: bytes, layout: _Layout, max_pixels: int) -> None:
    """Reject a codestream that is truncated or larger than announced: decoders allocate the announced size, and fill what is missing."""
    size = image_size(frame)
    if size is None:
        raise Undecodable(f"the pixel data are not {layout.syntax.name}")
    rows, columns = size
    if rows * columns > max_pixels:
        raise ImageTooLarge(f"{rows} x {columns} pixels in the codestream are more than the limit of {max_pixels}")
    if size != (layout.rows, layout.columns):
        raise Undecodable(f"the codestream has {rows} x {columns} pixels, the header says {layout.rows} x {layout.columns}")
    if END_OF_IMAGE not in frame:
        raise Undecodable("the pixel data are truncated: the codestream has no end")


def _as_stored(values: NDArray[Any], layout: _Layout) -> NDArray[Any]:
    """Values of the header's type: sign-extended from Bits Stored, or old overlay planes above them cleared (PS3.5 8.1.1)."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize > layout.dtype.itemsize:
        raise Undecodable(f"the pixel data hold {values.dtype} values, the header says {layout.bits_allocated} bits")
    unused = layout.bits_allocated - layout.bits_stored
    stored = values.astype(layout.dtype, copy=False)
    if not unused:
        return stored
    if layout.signed:
        return np.asarray((stored << unused) >> unused)
    return np.asarray(stored & stored.dtype.type(2**layout.bits_stored - 1))
