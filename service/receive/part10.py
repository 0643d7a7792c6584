"""Received DICOM files: read tolerantly, and rewritten with our file meta before the unchanged data set (PS3.10 7)."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pynetdicom.dsutils import split_dataset

from models.foreign_parsers import inflates_within, translate_errors
from service.errors import InstanceTooLarge, Unparsable

LARGE_VALUE_BYTES = 1 << 16
BLOCK_BYTES = 1 << 20

_UID_CHARACTERS = frozenset("0123456789.")


@dataclass(frozen=True)
class Part10:
    """A readable DICOM file: its elements (large values stay on the disk) and the offset of its data set in bytes."""

    dataset: pydicom.FileDataset
    meta: FileMetaDataset
    dataset_offset: int


def read_part10(path: Path, max_inflated_bytes: int) -> Part10:
    """Read a DICOM file without its large values.

    Parameters
    ----------
    max_inflated_bytes
        Limit for the inflated size of a data set in the deflated transfer syntax.

    Raises
    ------
    Unparsable
        No preamble, no transfer syntax, damaged elements, or a UID that identifies the object is absent or malformed.
    InstanceTooLarge
        A deflated data set inflates to more than this limit.
    """
    with translate_errors(Unparsable, "the data set cannot be read"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            elements, offset = split_dataset(path)
            meta = FileMetaDataset(elements)
            deflated = meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
            if deflated and not inflates_within(path, offset, max_inflated_bytes):
                raise InstanceTooLarge("the deflated data set inflates to more than is accepted")
            dataset = pydicom.dcmread(path, defer_size=LARGE_VALUE_BYTES)
        except InvalidDicomError:
            raise Unparsable("not a DICOM file: the preamble or the file meta is missing") from None
        uids = [dataset.get(name) for name in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")]
        uids.append(meta.get("TransferSyntaxUID"))
    if not all(isinstance(uid, str) and 0 < len(uid) <= 64 and _UID_CHARACTERS.issuperset(uid) for uid in uids):
        raise Unparsable("SOP class, SOP instance, study, series or transfer syntax UID is missing or malformed")
    return Part10(dataset, meta, offset)


def copy_with_meta(source: Path, part10: Part10, target: IO[bytes], calling_ae: str) -> str:
    """Write a file again with the sender's AE title in its file meta; the bytes of the data set stay as they are.

    Parameters
    ----------
    calling_ae
        For (0002,0016) SourceApplicationEntityTitle; empty if the sender has none.

    Returns
    -------
    sha256 of the data set's bytes.
    """
    meta = part10.meta
    meta.MediaStorageSOPClassUID = part10.dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = part10.dataset.SOPInstanceUID
    if calling_ae:
        meta.SourceApplicationEntityTitle = calling_ae[:16]
    target.write(bytes(128) + b"DICM")
    with translate_errors(Unparsable, "the file meta cannot be written again"):
        write_file_meta_info(pydicom.filebase.DicomFileLike(target), meta)
    digest = hashlib.sha256()
    with source.open("rb") as file:
        file.seek(part10.dataset_offset)
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            target.write(block)
    return digest.hexdigest()
