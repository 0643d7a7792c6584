"""One image of the table as grey levels: as the service would see the same file, with the set's own changes undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from models.errors import ModelsError, Undecodable
from models.preprocessing.decode import decode
from models.preprocessing.picture import Picture, is_picture, picture_from_dataset, picture_from_file
from models.preprocessing.polarity import has_white_background
from training.data.table import Row

UNREADABLE = (ModelsError, OSError)
"""What reading an image may raise: the file is named and skipped."""


def read_picture(row: Row) -> NDArray[np.uint8]:
    """Decode one image (JPEG, PNG, DICOM, or the PGM of mini-MIAS, recognised by its content).

    Returns
    -------
    (rows, columns) grey levels, dark air, not mirrored: the picture that the boxes of `row.rois` are in.

    Raises
    ------
    ModelsError
        `Undecodable`, `ImageTooLarge` or `NotGrey`; the message does not name the file.
    OSError
        The file cannot be read.
    """
    picture = read_file(row.file)
    pixels = picture.pixels
    # The set's own entry comes first: a film's white frame looks like bright air. DICOM has a header and is rendered with it.
    if picture.source != "dicom" and row.inverted is not None and picture.inverted != row.inverted:
        pixels = 255 - pixels
    if row.aspect is not None:
        size = (max(round(pixels.shape[0] * row.aspect), 1), pixels.shape[0])
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(pixels[:, ::-1] if row.mirrored else pixels)


def read_file(path: Path) -> Picture:
    """The picture in a file with a dark background, as the service renders it. Raises as `read_picture`."""
    if is_picture(path):
        return picture_from_file(path)
    return _picture_from_pgm(path) if _begins_like_pgm(path) else picture_from_dataset(read_dataset(path))


def _picture_from_pgm(path: Path) -> Picture:
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise Undecodable("the PGM file is truncated or damaged")
    grey = np.asarray(pixels, np.uint8)
    white = has_white_background(grey)
    return Picture(255 - grey if white else grey, white, "png")


def reason(error: Exception) -> str:
    """Why a file is skipped, without its name, so that a summary can count equal reasons."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)


def read_levels(path: Path) -> NDArray[Any]:
    """The stored values of a DICOM file or the levels of a picture, not windowed and not turned: for masks. Raises as `read_picture`."""
    if is_picture(path) or _begins_like_pgm(path):
        levels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
        if levels is None:
            raise Undecodable("the picture is truncated or damaged")
        return np.asarray(levels)
    return decode(read_dataset(path))


def read_dataset(path: Path, pixels: bool = True) -> Dataset:
    """Parse a DICOM file, or only its header. Raises Undecodable, or OSError."""
    try:
        return pydicom.dcmread(path, stop_before_pixels=not pixels)
    except InvalidDicomError:
        raise Undecodable("the file is neither DICOM nor PNG, JPEG or PGM") from None
    except OSError:
        raise
    except Exception as error:  # pydicom raises whatever the bad bytes provoke
        raise Undecodable(f"the DICOM file is damaged ({type(error).__name__})") from None


def _begins_like_pgm(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"P5"
