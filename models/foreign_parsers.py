"""The one place that runs parsers and codecs of other projects (pydicom, imagecodecs, pylibjpeg, OpenJPEG, zlib, struct)."""

from __future__ import annotations

import errno
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.uid import DeflatedExplicitVRLittleEndian

from models.character_sets import mend_pydicom
from models.errors import FileUnparsable, MammotriageError, NotDicom

mend_pydicom()

MAX_INFLATED_BYTES = 1 << 29
"""Limit for the inflated size of a deflated data set: pydicom holds all of it in memory."""
MAX_INFLATION, ALWAYS_ALLOWED_BYTES = 100, 1 << 26
"""Limit for the inflated size over that of the file, for data sets above the second number; an image has a ratio of at most 20."""

_BLOCK_BYTES = 1 << 20

DISK_ERRORS = frozenset(
    {
        errno.EACCES,
        errno.EAGAIN,
        errno.EBUSY,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EINTR,
        errno.EIO,
        errno.EISDIR,
        errno.ELOOP,
        errno.EMFILE,
        errno.ENAMETOOLONG,
        errno.ENFILE,
        errno.ENODEV,
        errno.ENOENT,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.ENXIO,
        errno.EPERM,
        errno.EROFS,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
"""Errors of the operating system that speak of the disk or the machine. A parser also raises OSError for bad bytes: without a number, or
with EINVAL where it seeks to a place that the bytes name."""


@contextmanager
def translate_errors(error: type[MammotriageError], message: str) -> Iterator[None]:
    """Run foreign code on bytes that nobody has checked: whatever it raises leaves as one of our errors.

    The text of the foreign error may quote the data, so only its type is kept. Our own errors, errors of the disk, and what ends or
    exhausts the process (KeyboardInterrupt, SystemExit, MemoryError) pass unchanged.

    Parameters
    ----------
    error
        The class to raise; it takes a message.
    message
        What cannot be done; the type of the foreign error is added.
    """
    try:
        yield
    except (MammotriageError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as foreign:  # a panic in pylibjpeg-rle (Rust) is no Exception
        if isinstance(foreign, OSError) and foreign.errno in DISK_ERRORS:
            raise
        raise error(f"{message} ({type(foreign).__name__})") from None


def inflates_within(path: Path, offset: int, limit: int = MAX_INFLATED_BYTES) -> bool:
    """Tell whether the deflated data set of a file stays within the limits; it is inflated block by block, and nothing is kept.

    The stream ends where it says so: bytes behind it, such as the padding to an even length, are ignored (PS3.5 section A.5).

    Parameters
    ----------
    offset
        Bytes before the data set.

    Raises
    ------
    zlib.error
        The stream is damaged, or the file ends within it.
    """
    limit = min(limit, MAX_INFLATED_BYTES, max(ALWAYS_ALLOWED_BYTES, MAX_INFLATION * path.stat().st_size))
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        file.seek(offset)
        pending = file.read(_BLOCK_BYTES)
        while pending and not inflater.eof:
            size += len(inflater.decompress(pending, _BLOCK_BYTES))
            if size > limit:
                return False
            pending = inflater.unconsumed_tail or file.read(_BLOCK_BYTES)
        while not inflater.eof:  # what the inflater still holds
            rest = inflater.decompress(b"", _BLOCK_BYTES)
            size += len(rest)
            if size > limit:
                return False
            if not rest:
                raise zlib.error("the file ends within the deflated data set")
    return True


def _check_inflated_size(path: Path) -> None:
    with path.open("rb") as file:
        read_preamble(file, force=True)
        meta = _read_file_meta_info(file)
        offset = file.tell()
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian and not inflates_within(path, offset):
        raise FileUnparsable("the deflated data set inflates to more than is read")


def read_dicom(source: Path | BinaryIO, **options: Any) -> pydicom.FileDataset:
    """Read a DICOM file that nobody has checked.

    Parameters
    ----------
    options
        Of `pydicom.dcmread`.

    Raises
    ------
    NotDicom
        There is no preamble, and the option `force` is not set.
    FileUnparsable
        The elements cannot be read.
    OSError
        The disk failed.
    """
    with translate_errors(FileUnparsable, "the DICOM file cannot be read"):
        try:
            if isinstance(source, Path):
                _check_inflated_size(source)
            return pydicom.dcmread(source, **options)
        except InvalidDicomError:
            raise NotDicom("not a DICOM part 10 file") from None
