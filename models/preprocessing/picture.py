"""A grey image with a dark background from a DICOM data set, a PNG or a JPEG: the input of every recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from models.errors import ImageTooLarge, NotGrey, Undecodable
from models.foreign_parsers import translate_errors
from models.preprocessing.codestream import END_OF_IMAGE, image_size
from models.preprocessing.decode import MAX_PIXELS, decode
from models.preprocessing.intensity import stretch_to_grey, to_grey
from models.preprocessing.polarity import has_white_background

COLOUR_SPREAD, COLOURED_SHARE = 24, 0.005
"""A pixel has colour where its samples differ by more; an image has colour with a larger share of them (JPEG itself makes a few)."""

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


def is_picture(path: Path) -> bool:
    """Tell whether a file starts like a PNG or a JPEG, whatever its name. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return file.read(len(PNG)).startswith((PNG, JPEG))


@dataclass(frozen=True)
class Picture:
    """An image that is ready for a recipe.

    Parameters
    ----------
    pixels
        (rows, columns) grey levels, dark background.
    inverted
        The background was white although the source did not say so, and the levels were inverted.
    source
        Kind of the source file.
    """

    pixels: NDArray[np.uint8]
    inverted: bool
    source: Literal["dicom", "png", "jpeg"]


def picture_from_dataset(dataset: Dataset, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode and render the first frame of a data set.

    Raises
    ------
    Undecodable, PixelsContradictHeader, ImageTooLarge, NotGrey
        As `models.preprocessing.decode.decode`.
    """
    stored = decode(dataset, max_pixels)
    pixels = to_grey(stored, dataset)
    white = has_white_background(pixels)
    return Picture(to_grey(stored, dataset, inverted=True) if white else pixels, white, "dicom")


def picture_from_file(path: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a PNG or JPEG of 8 or 16 bits, by its content. RGB is read where all pixels are grey.

    Raises
    ------
    Undecodable
        Neither PNG nor JPEG, truncated or damaged.
    ImageTooLarge
        More than `max_pixels`, by the header, before anything is decoded.
    NotGrey
        The image has real colour.
    OSError
        The file cannot be read.
    """
    data = path.read_bytes()
    source: Literal["png", "jpeg"]
    if data.startswith(PNG):
        source, complete = "png", b"IEND" in data[-64:]
        size = (int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")) if data[12:16] == b"IHDR" else None
    elif data.startswith(JPEG):
        source, complete, size = "jpeg", END_OF_IMAGE in data[-65536:], image_size(data)
    else:
        raise Undecodable("the file is neither DICOM nor PNG nor JPEG")
    if size is None or 0 in size or not complete:
        raise Undecodable(f"the {source.upper()} file is truncated or damaged")
    if size[0] * size[1] > max_pixels:
        raise ImageTooLarge(f"{size[0]} x {size[1]} pixels are more than the limit of {max_pixels}")
    with translate_errors(Undecodable, f"the {source.upper()} file is damaged"):
        decoded = imagecodecs.png_decode(data) if source == "png" else imagecodecs.jpeg_decode(data)
    if decoded.shape[:2] != size:
        raise Undecodable(f"the {source.upper()} file is damaged: its size is not that of its pixels")
    pixels = stretch_to_grey(_one_sample(decoded))
    white = has_white_background(pixels)
    return Picture(255 - pixels if white else pixels, white, source)


def _one_sample(decoded: NDArray[Any]) -> NDArray[Any]:
    """The grey channel of a decoded image; an alpha channel is ignored."""
    if decoded.dtype not in (np.uint8, np.uint16):
        raise Undecodable(f"{decoded.dtype} pixels are not read")
    if decoded.ndim == 2:
        return decoded
    samples = decoded.shape[2]
    if samples in (3, 4):
        colours = decoded[..., :3].astype(np.int32)
        if decoded.dtype == np.uint16:
            colours >>= 8
        if float((np.ptp(colours, axis=2) > COLOUR_SPREAD).mean()) > COLOURED_SHARE:
            raise NotGrey("the image has colour")
    return np.ascontiguousarray(decoded[..., 1 if samples in (3, 4) else 0])
