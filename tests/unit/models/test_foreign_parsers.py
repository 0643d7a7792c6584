"""Whatever a foreign parser raises leaves as one of our errors; what the disk and the process raise does not."""

from __future__ import annotations

import errno
import io
import struct
import zlib
from pathlib import Path

import pytest

from models.errors import FileUnparsable, MammotriageError, NotDicom, Undecodable
from models.foreign_parsers import read_dicom, translate_errors


class Panic(BaseException):
    """As a Rust extension raises it."""


@pytest.mark.parametrize(
    "foreign",
    [
        ValueError("Doe^Jane"),
        struct.error("unpack requires a buffer of 4 bytes"),
        zlib.error("invalid block type"),
        EOFError(),
        RecursionError(),
        AssertionError(),
        Panic(),
        OSError("broken data stream when reading image file"),
        OSError(errno.EINVAL, "Invalid argument"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_a_parser_is_translated_and_its_text_is_not_quoted(foreign: BaseException) -> None:
    with pytest.raises(Undecodable, match=type(foreign).__name__) as raised, translate_errors(Undecodable, "the file cannot be read"):
        raise foreign
    assert "Doe" not in str(raised.value) and raised.value.__cause__ is None


@pytest.mark.parametrize(
    "passing", [OSError(errno.ENOSPC, "full"), FileNotFoundError(errno.ENOENT, "gone"), MemoryError(), KeyboardInterrupt(), SystemExit()]
)
def test_errors_of_the_disk_and_of_the_process_pass(passing: BaseException) -> None:
    with pytest.raises(type(passing)), translate_errors(Undecodable, "the file cannot be read"):
        raise passing


def test_our_own_errors_pass_as_they_are() -> None:
    with pytest.raises(NotDicom), translate_errors(Undecodable, "the file cannot be read"):
        raise NotDicom("no preamble")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", NotDicom),
        (b"no DICOM", NotDicom),
        (bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI\x16\x001.2.840.10008.1.2.1.99" + b"not deflated", FileUnparsable),
    ],
)
def test_a_file_that_is_no_dicom_file_or_a_damaged_one_has_an_error_of_its_own(content: bytes, error: type[MammotriageError]) -> None:
    with pytest.raises(error):
        read_dicom(io.BytesIO(content))


def test_a_file_that_is_not_there_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_dicom(tmp_path / "gone.dcm")
