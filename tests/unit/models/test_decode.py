"""The same pixels come out of every transfer syntax, and nothing but a named error out of a bad file."""

from __future__ import annotations

import io
import random
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, JPEGLSNearLossless

from models.errors import ImageTooLarge, ModelsError, NotGrey, PixelsContradictHeader, Undecodable
from models.preprocessing.decode import decode
from models.preprocessing.picture import picture_from_dataset
from service.domain.eligibility import ineligible_reason
from service.domain.header import read_header
from tests.support.phantom import LOSSLESS, LOSSLESS_ENCODERS, NATIVE, draw_breast, make_dataset

BREAST = draw_breast()
PINNED_BREAST = 1160793267
PINNED_FILMS = {
    "1-130": 1640547362,
    "1-131": 3594284857,
    "1-132": 348329049,
    "1-133": 268388624,
    "1-280": 1826330686,
    "1-281": 2212298477,
    "1-282": 1522808658,
    "1-283": 1531052047,
}
"""CRC-32 of the decoded arrays."""


def reread(dataset: pydicom.FileDataset) -> pydicom.FileDataset:
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return pydicom.dcmread(io.BytesIO(file.getvalue()))


def crc(array: np.ndarray[Any, Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def test_the_drawn_breast_never_changes() -> None:
    assert crc(BREAST) == PINNED_BREAST


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
def test_lossless_syntaxes_give_the_pixels_back(syntax: UID) -> None:
    decoded = decode(reread(make_dataset(BREAST, syntax, bits_stored=12)))
    assert decoded.dtype == np.uint16
    assert crc(decoded) == PINNED_BREAST


@pytest.mark.parametrize("syntax", [syntax for syntax in LOSSLESS if "HTJ2K" not in syntax.keyword], ids=lambda syntax: syntax.name)
def test_eight_bit_pixels_come_back_too(syntax: UID) -> None:
    eight = (BREAST >> 4).astype(np.uint8)
    assert np.array_equal(decode(reread(make_dataset(eight, syntax))), eight)


def test_lossy_syntaxes_stay_near() -> None:
    eight = (BREAST >> 4).astype(np.uint8)
    baseline = make_dataset(eight, JPEGBaseline8Bit, PixelData=encapsulate([bytes(imagecodecs.jpeg8_encode(eight, level=95))]))
    assert np.abs(decode(baseline).astype(int) - eight).max() <= 12
    near = make_dataset(
        BREAST, JPEGLSNearLossless, bits_stored=12, PixelData=encapsulate([bytes(imagecodecs.jpegls_encode(BREAST, level=3))])
    )
    assert np.abs(decode(near).astype(int) - BREAST).max() <= 3


@pytest.mark.parametrize("syntax", [*NATIVE, JPEGLSLossless, JPEG2000Lossless], ids=lambda syntax: syntax.name)
def test_signed_values_keep_their_sign(syntax: UID) -> None:
    signed = BREAST.astype(np.int16) - 2048
    stored = signed.view(np.uint16) & 0x0FFF  # 12-bit two's complement, upper bits clear: as JPEG codestreams carry it
    dataset = make_dataset(stored, syntax, bits_stored=12, PixelRepresentation=1)
    assert np.array_equal(decode(dataset), signed)


def test_an_old_overlay_above_the_stored_bits_is_cleared() -> None:
    assert np.array_equal(decode(make_dataset(BREAST | 0x8000, bits_stored=12)), BREAST)


def test_the_first_of_several_frames_is_decoded() -> None:
    frames = np.stack([BREAST, BREAST[::-1]])
    native = make_dataset(BREAST, bits_stored=12, PixelData=frames.tobytes(), NumberOfFrames=2)
    encode = LOSSLESS_ENCODERS[JPEGLSLossless]
    packed = make_dataset(
        BREAST, JPEGLSLossless, bits_stored=12, PixelData=encapsulate([encode(frame) for frame in frames]), NumberOfFrames=2
    )
    assert np.array_equal(decode(native), BREAST)
    assert np.array_equal(decode(packed), BREAST)


def test_no_pixels_is_undecodable() -> None:
    dataset = make_dataset(BREAST)
    del dataset.PixelData
    with pytest.raises(Undecodable, match="no pixel data"):
        decode(dataset)


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated"])
def test_a_header_without_a_size_is_undecodable(keyword: str) -> None:
    dataset = make_dataset(BREAST)
    delattr(dataset, keyword)
    with pytest.raises(Undecodable):
        decode(dataset)


@pytest.mark.parametrize("changes", [{"Rows": 0}, {"BitsAllocated": 1}, {"BitsAllocated": 32}, {"BitsStored": 17}])
def test_an_impossible_header_is_undecodable(changes: dict[str, Any]) -> None:
    with pytest.raises(Undecodable):
        decode(make_dataset(BREAST, **changes))


def test_an_unknown_transfer_syntax_is_undecodable() -> None:
    dataset = make_dataset(BREAST)
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.100")  # MPEG2
    with pytest.raises(Undecodable):
        decode(dataset)
    del dataset.file_meta.TransferSyntaxUID
    with pytest.raises(Undecodable):
        decode(dataset)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_truncated_pixels_are_undecodable(syntax: UID, share: float) -> None:
    dataset = make_dataset(BREAST, syntax, bits_stored=12)
    if syntax in NATIVE:
        dataset.PixelData = dataset.PixelData[: int(share * len(dataset.PixelData))]
    else:
        frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
        dataset.PixelData = encapsulate([frame[: int(share * len(frame))]])
    with pytest.raises(Undecodable):
        decode(dataset)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("changes", [{"Rows": 800}, {"Columns": 301}, {"Rows": 300, "Columns": 401}])
def test_a_size_that_the_pixels_do_not_have_is_undecodable(syntax: UID, changes: dict[str, int]) -> None:
    with pytest.raises(Undecodable):
        decode(make_dataset(BREAST, syntax, bits_stored=12, **changes))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(ImageTooLarge):
        decode(make_dataset(BREAST, Rows=65535, Columns=65535))
    with pytest.raises(ImageTooLarge):
        decode(make_dataset(BREAST), max_pixels=BREAST.size - 1)
    bomb = bytearray(LOSSLESS_ENCODERS[JPEGLSLossless](BREAST))
    start = bomb.index(b"\xff\xf7")
    bomb[start + 5 : start + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(ImageTooLarge):
        decode(make_dataset(BREAST, JPEGLSLossless, PixelData=encapsulate([bytes(bomb)])))


def test_colour_is_not_grey() -> None:
    for changes in ({"SamplesPerPixel": 3}, {"PhotometricInterpretation": "PALETTE COLOR"}):
        with pytest.raises(NotGrey):
            decode(make_dataset(BREAST, **changes))


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
@pytest.mark.filterwarnings("ignore")  # pydicom warns about the values that this test breaks
def test_damaged_files_raise_nothing_unnamed(syntax: UID) -> None:
    """200 files a syntax with a few bytes changed, cut or inserted: read, judged and decoded, or refused by a named error."""
    file = io.BytesIO()
    small = make_dataset(draw_breast(48, 40), syntax, bits_stored=12, WindowCenter=2048, WindowWidth=4096)
    pydicom.dcmwrite(file, small, enforce_file_format=True)
    whole, chance = file.getvalue(), random.Random(syntax)
    outcomes: set[str] = set()
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            at = chance.randrange(132, len(damaged))
            match chance.randrange(4):
                case 0:
                    damaged[at] = chance.randrange(256)
                case 1:
                    del damaged[at : at + chance.choice((1, 2, 8))]
                case 2:
                    damaged[at:at] = chance.randbytes(chance.choice((1, 2, 8)))
                case _:
                    damaged[at : at + 2] = chance.choice((b"\xff\xff", b"\x00\x00", b"\xff\x7f"))
        try:
            dataset = pydicom.dcmread(io.BytesIO(bytes(damaged)), force=True)
        except Exception:  # a file that pydicom cannot parse never reaches the decoder
            continue
        ineligible_reason(read_header(dataset), film_allowed=True)
        try:
            outcomes.add(picture_from_dataset(dataset, max_pixels=1_000_000).source)
        except ModelsError as error:
            outcomes.add(error.code)
    assert outcomes <= {"dicom", Undecodable.code, PixelsContradictHeader.code, ImageTooLarge.code, NotGrey.code}


@pytest.mark.filterwarnings("ignore")
def test_random_bytes_raise_nothing_unnamed() -> None:
    chance = random.Random(1)
    for syntax in LOSSLESS:
        for size in (0, 1, 7, 100, 10_000):
            data = chance.randbytes(size)
            for pixel_data in (data, encapsulate([data or b"\x00"])):
                with pytest.raises(Undecodable):
                    decode(make_dataset(BREAST, syntax, bits_stored=12, PixelData=pixel_data))


def test_real_pixels_are_those_that_pydicom_reads(dicom_test_files: Path) -> None:
    for name in (
        "mg/fo-dicom__OutOfBoundsOverlay.dcm",
        "negative/dicom-test-files__RG1_JLSN.dcm",
        "negative/dicom-test-files__RG3_JPLL.dcm",
    ):
        dataset = pydicom.dcmread(dicom_test_files / name)
        assert np.array_equal(decode(dataset), dataset.pixel_array), name


def test_the_unreadable_real_file_says_so(dicom_test_files: Path) -> None:
    with pytest.raises(Undecodable, match="JPEG Extended"):
        decode(pydicom.dcmread(dicom_test_files / "mg/dicom-test-files__MG1_JPLY.dcm"))


def test_real_films_decode_to_pinned_pixels(cbis_cases: dict[str, list[Path]]) -> None:
    found = {path.stem: crc(decode(pydicom.dcmread(path))) for files in cbis_cases.values() for path in files}
    assert found == PINNED_FILMS
