"""A drawn breast as a DICOM data set in any transfer syntax: every pixel known, no random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

ROWS, COLUMNS = 400, 300

NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
LOSSLESS_ENCODERS: dict[UID, Callable[[NDArray[Any]], bytes]] = {
    JPEGLossless: lambda pixels: bytes(imagecodecs.ljpeg_encode(pixels)),
    JPEGLosslessSV1: lambda pixels: bytes(imagecodecs.ljpeg_encode(pixels)),
    JPEGLSLossless: lambda pixels: bytes(imagecodecs.jpegls_encode(pixels)),
    JPEG2000Lossless: lambda pixels: bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k", reversible=True)),
    HTJ2KLossless: lambda pixels: bytes(imagecodecs.htj2k_encode(pixels, reversible=True)),
}
LOSSLESS = (*NATIVE, *LOSSLESS_ENCODERS, RLELossless)


def draw_breast(rows: int = ROWS, columns: int = COLUMNS, bits: int = 12) -> NDArray[np.uint16]:
    """A half ellipse at the left edge with texture inside and faint noise outside."""
    row, column = np.mgrid[:rows, :columns]
    radius = ((row - rows / 2) / (0.42 * rows)) ** 2 + (column / (0.7 * columns)) ** 2
    noise = (row * 7919 + column * 104729 + row * column) % 97
    top = 2**bits - 1
    tissue = top * (0.35 + 0.4 * np.clip(1 - radius, 0, 1)) + noise * top / 970
    return np.where(radius < 1, tissue, noise * top / 9700).astype(np.uint16)


def make_dataset(
    pixels: NDArray[Any], syntax: UID = ExplicitVRLittleEndian, bits_stored: int | None = None, **attributes: Any
) -> FileDataset:
    """A minimal mammogram that holds `pixels` in a transfer syntax."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = UID("2.25.1")
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, "2.25.1"
    dataset.Modality = "MG"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = 8 * pixels.dtype.itemsize
    dataset.BitsStored = bits_stored or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    if syntax in LOSSLESS_ENCODERS:
        dataset.PixelData = encapsulate([LOSSLESS_ENCODERS[syntax](pixels)])
    elif syntax == RLELossless:
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.PixelData = pixels.tobytes()
        dataset.compress(RLELossless, generate_instance_uid=False)
    else:
        dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def make_table(first: int, bits: int, entries: list[int]) -> Dataset:
    """An item of a LUT sequence."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "US", entries)
    return item
