"""Files that other systems mishandle, over HTTP: accepted and handed out again, or refused with a reason, at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid
from pynetdicom.dsutils import split_dataset

from models.errors import FileUnparsable
from models.foreign_parsers import read_dicom
from models.preprocessing.decode import decode
from service.errors import InstanceTooLarge, Unparsable
from service.receive.part10 import read_part10
from tests.support.api_server import Served, serve_api
from tests.support.dicomweb_viewer import ALL_SYNTAXES, parts_of, path_of, stow
from tests.support.sample_findings import full_field

LIMIT = 1 << 31


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_api(tmp_path_factory.mktemp("reported")) as served:
        yield served


def write(path: Path, image: Dataset, behind: bytes = b"", cut: int = 0) -> Path:
    """A file in the deflated transfer syntax, with bytes behind its stream, or without its last bytes."""
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dcmwrite(path, image, enforce_file_format=True)
    _, start = split_dataset(path)
    whole = path.read_bytes()
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflater.decompress(whole[start:])
    stream = whole[: len(whole) - len(inflater.unused_data)]
    path.write_bytes(stream[: len(stream) - cut] + behind)
    return path


def large_image() -> Dataset:
    """More than a block of the inflater, in both orders of its bytes' parity."""
    image = full_field()
    image.Rows = image.Columns = 900
    image.PixelData = np.random.default_rng(1).integers(0, 4096, (900, 900), np.uint16).tobytes()
    return image


@pytest.mark.parametrize("behind", [b"", b"\x00", b"\x00\x00", bytes(4096), b"appended by a gateway", bytes(3 << 20)])
def test_a_deflated_stream_ends_at_its_end(tmp_path: Path, api: Served, behind: bytes) -> None:
    image = large_image()
    path = write(tmp_path / "padded.dcm", image, behind)
    assert read_part10(path, LIMIT).dataset.SOPInstanceUID == image.SOPInstanceUID
    assert stow(api, path.read_bytes()).status_code == 200
    assert np.array_equal(decode(read_dicom(path)), np.frombuffer(image.PixelData, np.uint16).reshape(900, 900))


@pytest.mark.parametrize("cut", [1, 7, 1000, 500_000, 1_000_000])
def test_a_deflated_stream_that_ends_too_early_is_refused(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "cut.dcm", large_image(), cut=cut)
    with pytest.raises(Unparsable):
        read_part10(path, LIMIT)
    with pytest.raises(FileUnparsable):
        read_dicom(path)


def test_inflating_is_bounded(tmp_path: Path) -> None:
    image = full_field()
    image.Rows = image.Columns = 8192
    image.PixelData = bytes(2 * 8192 * 8192)
    path = write(tmp_path / "bomb.dcm", image)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(InstanceTooLarge):
        read_part10(path, LIMIT)
    with pytest.raises(FileUnparsable, match="inflates"):
        read_dicom(path)
    with pytest.raises(InstanceTooLarge):
        read_part10(write(tmp_path / "large.dcm", large_image()), 1 << 20)


def named_otherwise(part: str) -> Dataset:
    image = full_field()
    meta = image.file_meta
    meta.MediaStorageSOPInstanceUID, meta.MediaStorageSOPClassUID = image.SOPInstanceUID, image.SOPClassUID
    if part in ("instance", "both"):
        meta.MediaStorageSOPInstanceUID = generate_uid()
    if part in ("class", "both"):
        meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    return image


@pytest.mark.parametrize("part", ["instance", "class", "both"])
def test_the_data_set_counts_where_the_file_meta_differs(api: Served, part: str) -> None:
    image = named_otherwise(part)
    file = BytesIO()
    image.save_as(file)
    assert stow(api, bytes(128) + b"DICM" + file.getvalue()).status_code == 200
    row = api.ledger.instances.get(str(image.SOPInstanceUID))
    assert row is not None
    meta = pydicom.dcmread(api.store.path(row.path)).file_meta
    assert (meta.MediaStorageSOPInstanceUID, meta.MediaStorageSOPClassUID) == (image.SOPInstanceUID, image.SOPClassUID)


def big_endian(pixels: np.ndarray[Any, Any], vr: str) -> Dataset:
    image = full_field()
    image.Rows, image.Columns = pixels.shape
    image.BitsAllocated = image.BitsStored = 8 * pixels.itemsize
    image.HighBit = image.BitsStored - 1
    content = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    image.PixelData = np.frombuffer(content, "<u2").byteswap().tobytes() if pixels.itemsize == 1 and vr == "OW" else content
    image["PixelData"].VR = vr
    image.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    return image


SHADES = np.arange(64, dtype=np.uint16).reshape(8, 8)


@pytest.mark.parametrize(
    ("pixels", "vr"),
    [(SHADES * 60, "OW"), (SHADES.astype(np.uint8), "OB"), (SHADES.astype(np.uint8), "OW"), (SHADES * 1000, "OW"), (SHADES[::-1], "OW")],
)
def test_a_big_endian_object_is_accepted_and_retrieved(api: Served, pixels: np.ndarray[Any, Any], vr: str) -> None:
    image = big_endian(pixels, vr)
    file = BytesIO()
    dcmwrite(file, image, implicit_vr=False, little_endian=False, enforce_file_format=True)
    assert stow(api, file.getvalue()).status_code == 200
    (part,) = parts_of(api.client.get(path_of(image), headers={"Accept": ALL_SYNTAXES}))
    whole = pydicom.dcmread(BytesIO(part.body))
    assert whole.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert np.array_equal(whole.pixel_array, pixels)
    frame = api.client.get(f"{path_of(image)}/frames/1", headers={"Accept": "application/octet-stream"})
    assert frame.content == np.ascontiguousarray(pixels).tobytes()


@pytest.mark.parametrize(
    "name",
    [
        "01-deflated-padded-hangs/input.dcm",
        "14-file-meta-uid-differs/input.dcm",
        "15-big-endian-upload/input.dcm",
        "17-iso-2022-ir-58/input.dcm",
        "18-nul-in-character-set/input.dcm",
    ],
)
def test_the_reported_files_are_stored_and_retrieved(api: Served, reported_cases: Path, name: str) -> None:
    path = reported_cases / name
    image = read_dicom(path)
    assert stow(api, path.read_bytes()).status_code == 200
    (part,) = parts_of(api.client.get(path_of(image), headers={"Accept": ALL_SYNTAXES}))
    assert np.array_equal(decode(pydicom.dcmread(BytesIO(part.body))), decode(image))


def test_the_reported_name_is_found_as_it_is_written(api: Served, reported_cases: Path) -> None:
    path = reported_cases / "17-iso-2022-ir-58/input.dcm"
    stow(api, path.read_bytes())
    uid = pydicom.dcmread(path).StudyInstanceUID
    (study,) = api.client.get("/dicom-web/studies", params={"StudyInstanceUID": uid}).json()
    assert study["00100010"]["Value"][0]["Alphabetic"] == "Zhang^XiaoDong"
    assert "张" in str(study["00100010"])
    assert "\x1b" not in str(study)
