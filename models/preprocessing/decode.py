"""Stored pixel values of a DICOM data set in any transfer syntax; a damaged one gives an error of `models.errors`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from models.attributes import read_count
from models.errors import ImageTooLarge, NotGrey, Undecodable
from models.foreign_parsers import translate_errors
from models.preprocessing.codestream import END_OF_IMAGE, FrameHeader, read_frame_header
from models.preprocessing.stored_bits import CellLayout, read_cells

MAX_PIXELS = 100_000_000
"""Rows x columns; the largest mammography detectors have about 5,000 x 6,000."""

NATIVE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian})

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
    cell: CellLayout
    syntax: UID
    bytes_swapped: bool = False
    """Bytes of 8-bit pixels are in the order of big-endian 16-bit words (PS3.5 section 7.3)."""


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
    (rows, columns) stored values, before any LUT: uint8, int8, uint16 or int16. Overlays and rubbish above Bits Stored are cleared.

    Raises
    ------
    Undecodable
        No pixel data, an impossible header, truncated or damaged data, a codestream of another size than in the header, a second frame
        header, or no decoder.
    PixelsContradictHeader
        The values need other bits than the header declares, and no codestream decides.
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
    if layout.syntax in NATIVE:
        stored, cell = _read_native(data, layout), layout.cell
    else:
        stored, cell = _read_compressed(dataset, data, layout, max_pixels)
    if stored.shape != (layout.rows, layout.columns):
        raise Undecodable(f"the pixel data decode to {stored.shape}, the header says ({layout.rows}, {layout.columns})")
    if stored.dtype.kind not in "iu" or stored.dtype.itemsize > cell.dtype.itemsize:
        raise Undecodable(f"the pixel data hold {stored.dtype} values, the header says {cell.bits_allocated} bits")
    return read_cells(stored, cell)


def _read_layout(dataset: Dataset) -> _Layout:
    if int(dataset.get("SamplesPerPixel") or 1) != 1 or "PALETTE" in str(dataset.get("PhotometricInterpretation") or ""):
        raise NotGrey("the image has colour")
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    if syntax is None:
        raise Undecodable("the transfer syntax is not named")
    allocated = int(dataset.BitsAllocated)
    bits_stored = int(dataset.get("BitsStored") or allocated)
    if allocated not in (8, 16) or not 1 <= bits_stored <= allocated:
        raise Undecodable(f"{bits_stored} bits stored in {allocated} allocated are no grey image")
    cell = CellLayout(
        bits_allocated=allocated,
        bits_stored=bits_stored,
        high_bit=read_count(dataset, "HighBit", bits_stored - 1),
        signed=int(dataset.get("PixelRepresentation") or 0) == 1,
        overlay_bits=_read_overlay_bits(dataset, bits_stored, allocated),
    )
    layout = _Layout(
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        cell=cell,
        syntax=UID(str(syntax)),
        bytes_swapped=syntax == ExplicitVRBigEndian and allocated == 8 and dataset["PixelData"].VR == "OW",
    )
    if layout.rows < 1 or layout.columns < 1:
        raise Undecodable("the image has no rows or no columns")
    return layout


def _read_overlay_bits(dataset: Dataset, bits_stored: int, allocated: int) -> int:
    """Cell bits above the pixel that hold overlay planes: an overlay without data of its own (PS3.5 section 8.1.2, retired)."""
    bits = 0
    for group in range(0x6000, 0x6020, 2):
        position = dataset.get((group, 0x0102))
        if position is None or (group, 0x3000) in dataset or position.value in (None, ""):
            continue
        if bits_stored <= int(position.value) < allocated:
            bits |= 1 << int(position.value)
    return bits


def _read_native(data: bytes, layout: _Layout) -> NDArray[Any]:
    count, dtype = layout.rows * layout.columns, layout.cell.dtype
    if len(data) < count * dtype.itemsize:
        raise Undecodable(f"the pixel data are truncated: {len(data)} bytes of {count * dtype.itemsize}")
    if layout.bytes_swapped:
        data = np.frombuffer(data[: len(data) // 2 * 2], "<u2").byteswap().tobytes()
    elif layout.syntax == ExplicitVRBigEndian:
        dtype = dtype.newbyteorder(">")
    return np.frombuffer(data, dtype, count).reshape(layout.rows, layout.columns)


def _read_compressed(dataset: Dataset, data: bytes, layout: _Layout, max_pixels: int) -> tuple[NDArray[Any], CellLayout]:
    """Decoded cells, and their layout with what the codestream declares."""
    cell = layout.cell
    with translate_errors(Undecodable, f"no decoder reads this {layout.syntax.name} pixel data"):
        frame = get_frame(data, 0, number_of_frames=int(dataset.get("NumberOfFrames") or 1))
        if layout.syntax == RLELossless:
            segments = int.from_bytes(frame[:4], "little")  # one for each byte of a cell (PS3.5 annex G.5)
            bits = min(8 * segments, cell.bits_allocated) or cell.bits_allocated
        else:
            header = _check_codestream(frame, layout, max_pixels)
            cell = replace(cell, precision=min(header.precision, cell.bits_allocated))
            if layout.syntax in FAST_DECODERS:
                return FAST_DECODERS[layout.syntax](frame), cell
            bits = header.precision
        if bits <= 8 < cell.bits_allocated or bits > cell.bits_stored:
            dataset = _with_bits(dataset, min(bits, cell.bits_allocated))
        stored, _ = get_decoder(layout.syntax).as_array(dataset, index=0, raw=True)
    return stored, cell


def _with_bits(dataset: Dataset, bits: int) -> Dataset:
    """The pixels under a header with the bits that they really have: pydicom takes the header's word for them, and clears what is above."""
    honest = Dataset()
    honest.file_meta = dataset.file_meta
    for keyword in (
        "PixelData",
        "Rows",
        "Columns",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "NumberOfFrames",
        "PixelRepresentation",
    ):
        if keyword in dataset:
            honest[keyword] = dataset[keyword]
    honest.BitsAllocated, honest.BitsStored, honest.HighBit = 8 if bits <= 8 else 16, bits, bits - 1
    return honest


def _check_codestream(frame: bytes, layout: _Layout, max_pixels: int) -> FrameHeader:
    """Reject a codestream that is truncated or larger than announced: decoders allocate the announced size, and fill what is missing."""
    header = read_frame_header(frame)
    if header is None:
        raise Undecodable(f"the pixel data are not {layout.syntax.name}")
    rows, columns = header.rows, header.columns
    if rows * columns > max_pixels:
        raise ImageTooLarge(f"{rows} x {columns} pixels in the codestream are more than the limit of {max_pixels}")
    if (rows, columns) != (layout.rows, layout.columns):
        raise Undecodable(f"the codestream has {rows} x {columns} pixels, the header says {layout.rows} x {layout.columns}")
    if header.components != 1:
        raise NotGrey(f"the codestream has {header.components} samples per pixel, the header says one")
    if END_OF_IMAGE not in frame:
        raise Undecodable("the pixel data are truncated: the codestream has no end")
    return header
