"""The one place that runs parsers and codecs of other projects (pydicom, imagecodecs, pylibjpeg, OpenJPEG, zlib, struct)."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.errors import InvalidDicomError

from models.errors import FileUnparsable, MammotriageError, NotDicom

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
            return pydicom.dcmread(source, **options)
        except InvalidDicomError:
            raise NotDicom("not a DICOM part 10 file") from None
