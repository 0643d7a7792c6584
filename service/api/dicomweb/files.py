"""Stored DICOM files as DICOMweb hands them out: the header without the pixels, and the whole in the transfer syntax that is asked for."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from models.errors import ModelsError
from models.foreign_parsers import translate_errors
from models.preprocessing.decode import decode
from service.errors import FileUnreadable, NotTranscodable
from service.store.dicom_objects import StoredInstance
from service.store.files import FileStore

BLOCK_BYTES = 1 << 20
LARGE_VALUE_BYTES = 1 << 16
MOST_DECODED_BYTES = 1 << 30
"""An object that unfolds to more is handed out as it is stored, or not at all."""
PIXELS = frozenset({Tag("PixelData"), Tag("FloatPixelData"), Tag("DoubleFloatPixelData")})
UNFIT = frozenset({ImplicitVRLittleEndian, ExplicitVRBigEndian})
"""Transfer syntaxes that never travel over DICOMweb (PS3.18 section 8.7.3.5.2): written anew as Explicit VR Little Endian."""
NATIVE = frozenset({*UNFIT, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian})

WORD_BYTES = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}
"""Bytes of a word in binary values (PS3.5 section 6.2)."""

DECODING = threading.BoundedSemaphore(2)
"""Objects that are in memory as a whole at the same time."""


@dataclass(frozen=True)
class Opened:
    """A file's elements before its pixels, and where those are."""

    path: Path
    header: Dataset
    """With file meta; long values stay on the disk until they are asked for."""
    pixel_tag: BaseTag | None
    pixel_vr: str
    pixel_offset: int
    """Of the value's first byte in the file; of no use in a deflated one."""
    pixel_length: int
    """Bytes; 0xFFFFFFFF for an encapsulated value."""

    @property
    def syntax(self) -> UID:
        return UID(str(self.header.file_meta.TransferSyntaxUID))

    @property
    def frames(self) -> int:
        return max(int(self.header.get("NumberOfFrames") or 1), 1)


@contextmanager
def quietly() -> Iterator[None]:
    """Without pydicom's warnings, which may quote what a header says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def locate(stored: StoredInstance, store: FileStore) -> Path:
    """Path of an object's file."""
    return store.path(stored.path) if stored.path is not None else store.produced_path(stored.sop_instance_uid)


def open_file(path: Path) -> Opened:
    """Read a file up to its pixels.

    Raises
    ------
    FileUnreadable
        It is gone, or its elements are damaged.
    """
    found: dict[str, Any] = {}

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag in PIXELS:
            found.update(tag=tag, vr=vr or "OW", length=length)
        return tag in PIXELS

    with _reading(), quietly():
        with path.open("rb") as file:
            header = read_partial(file, stop_when=at_pixels, defer_size=LARGE_VALUE_BYTES)
            # Tag and length, and where it is explicit the VR with two reserved bytes, precede the value (PS3.5 section 7.1).
            offset = file.tell() + (8 if header.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian else 12)
        if header.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
            header = pydicom.dcmread(path, stop_before_pixels=True)  # what was left on the disk could not be found there again
    return Opened(path, header, found.get("tag"), found.get("vr", ""), offset, found.get("length", 0))


def read_whole(opened: Opened) -> pydicom.FileDataset:
    """All of a file, in memory: hold `DECODING` meanwhile. Raises `FileUnreadable`."""
    with _reading(), quietly():
        return pydicom.dcmread(opened.path)


@contextmanager
def _reading() -> Iterator[None]:
    """Translate what pydicom and the disk raise into `FileUnreadable`."""
    try:
        with translate_errors(FileUnreadable, "the stored object cannot be read"):
            yield
    except OSError as error:
        raise FileUnreadable(f"the stored object cannot be read ({type(error).__name__})") from error


def as_explicit(opened: Opened, spool: Path) -> BinaryIO:
    """The object as Explicit VR Little Endian, its pixels decompressed: a file without a name, read from its start.

    Raises
    ------
    NotTranscodable
    FileUnreadable
    """
    if frame_bits(opened.header) // 8 * opened.frames > MOST_DECODED_BYTES:
        raise NotTranscodable(f"decompressed it has more than {MOST_DECODED_BYTES} bytes: ask for it with transfer-syntax=*")
    with DECODING:
        dataset = read_whole(opened)
        file = NamedTemporaryFile(dir=spool, prefix="dicomweb-")  # noqa: SIM115  # the reader closes it, which deletes it
        try:
            with translate_errors(NotTranscodable, "it cannot be written as Explicit VR Little Endian"), quietly():
                if opened.syntax not in NATIVE:
                    _decompress(dataset, opened)
                elif opened.syntax == ExplicitVRBigEndian:
                    _swap_bytes(dataset)
                dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
                # Not save_as(), which refuses to change the byte order.
                pydicom.dcmwrite(file, dataset, implicit_vr=False, little_endian=True, enforce_file_format=True)
        except BaseException:
            file.close()
            raise
    file.seek(0)
    return file  # type: ignore[return-value]


def _decompress(dataset: pydicom.FileDataset, opened: Opened) -> None:
    if opened.frames > 1 or int(dataset.get("SamplesPerPixel") or 1) != 1 or int(dataset.get("BitsAllocated") or 0) not in (8, 16):
        dataset.decompress(generate_instance_uid=False)
        return
    try:
        # The decoder that the networks see through: it checks what a codestream promises before it allocates.
        pixels = decode(dataset)
    except ModelsError as error:
        raise NotTranscodable(f"its pixels cannot be decompressed: {error}") from error
    content = pixels.tobytes()
    dataset.PixelData = content + bytes(len(content) % 2)
    dataset["PixelData"].VR = "OW" if pixels.itemsize > 1 else "OB"
    dataset["PixelData"].is_undefined_length = False
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            del dataset[keyword]


def _swap_bytes(dataset: Dataset) -> None:
    """Bring the words of binary values into little-endian order; pydicom does that only for values that it converts to numbers."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _swap_bytes(item)
        elif element.VR in WORD_BYTES and isinstance(element.value, bytes):
            width = WORD_BYTES[element.VR]
            whole = len(element.value) // width * width
            element.value = np.frombuffer(element.value[:whole], f"u{width}").byteswap().tobytes() + element.value[whole:]


def frame_bits(header: Dataset) -> int:
    """Length of a decompressed frame (PS3.5 section 8.1.1, PS3.3 section C.7.6.3.1.2); 0 where the header does not say."""
    try:
        bits = int(header.Rows) * int(header.Columns) * int(header.get("SamplesPerPixel") or 1) * int(header.BitsAllocated)
    except (AttributeError, TypeError, ValueError):
        return 0
    native = header.file_meta.TransferSyntaxUID in NATIVE
    return bits * 2 // 3 if native and "422" in str(header.get("PhotometricInterpretation")) else bits


def read_blocks(file: BinaryIO, length: int | None = None) -> Iterator[bytes]:
    """The rest of a file, or so many bytes of it, block by block."""
    left = length
    while block := file.read(BLOCK_BYTES if left is None else min(BLOCK_BYTES, left)):
        yield block
        if left is not None:
            left -= len(block)
