"""Pixels that do not fit their header are read as the codestream or the standard decides, or refused; they are never scored in silence."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from models.errors import ModelsError, NotGrey, PixelsContradictHeader, Undecodable
from models.preprocessing.decode import decode
from models.preprocessing.intensity import to_grey
from tests.support.phantom import LOSSLESS_ENCODERS, draw_breast, make_dataset, make_table

BREAST = draw_breast()
WIDE = draw_breast(bits=14)
EIGHT = draw_breast(bits=8).astype(np.uint8)
OVERLAY = (BREAST > 2000).astype(np.uint16)
NOISE = (np.arange(BREAST.size, dtype=np.uint32).reshape(BREAST.shape) * 2654435761 >> 28).astype(np.uint16)
Encoder = Callable[[np.ndarray[Any, Any]], bytes]


def set_bits(dataset: Dataset, stored: int, high: int | None = None) -> Dataset:
    dataset.BitsStored, dataset.HighBit = stored, stored - 1 if high is None else high
    return dataset


class TestBitsStored:
    @pytest.mark.parametrize("syntax", LOSSLESS_ENCODERS, ids=lambda syntax: syntax.name)
    @pytest.mark.parametrize("declared", [8, 10, 12, 13])
    def test_the_precision_of_the_codestream_counts_where_the_header_declares_less(self, syntax: UID, declared: int) -> None:
        assert np.array_equal(decode(set_bits(make_dataset(WIDE, syntax), declared)), WIDE)

    @pytest.mark.parametrize("declared", [8, 10, 11, 12, 16])
    def test_the_precision_of_a_12_bit_jpeg_counts_too(self, declared: int) -> None:
        frame = encapsulate([bytes(imagecodecs.jpeg_encode(BREAST, level=98, bitspersample=12))])
        decoded = decode(set_bits(make_dataset(BREAST, JPEGExtended12Bit, PixelData=frame), declared))
        assert np.abs(decoded.astype(int) - BREAST).max() <= 8

    @pytest.mark.parametrize("syntax", LOSSLESS_ENCODERS, ids=lambda syntax: syntax.name)
    def test_a_header_that_declares_more_changes_nothing(self, syntax: UID) -> None:
        assert np.array_equal(decode(set_bits(make_dataset(BREAST, syntax), 16)), BREAST)

    @pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless], ids=lambda syntax: syntax.name)
    @pytest.mark.parametrize("declared", [8, 10, 11, 12, 13])
    def test_native_values_that_need_more_bits_are_refused(self, syntax: UID, declared: int) -> None:
        with pytest.raises(PixelsContradictHeader, match=f"more than the {declared} bits"):
            decode(set_bits(make_dataset(WIDE, syntax), declared))

    def test_a_few_values_above_bits_stored_are_refused_too(self) -> None:
        marked = BREAST.copy()
        marked[200:260, 80:140] = 5000
        with pytest.raises(PixelsContradictHeader):
            decode(make_dataset(marked, bits_stored=12))

    @pytest.mark.parametrize("declared", [8, 10, 12])
    def test_signed_values_that_need_more_bits_are_refused(self, declared: int) -> None:
        signed = (WIDE.astype(np.int32) - 8192).astype(np.int16)
        with pytest.raises(PixelsContradictHeader):
            decode(set_bits(make_dataset(signed), declared))

    def test_signed_values_are_read_whether_their_sign_is_extended_or_not(self) -> None:
        signed = (BREAST.astype(np.int32) - 2048).astype(np.int16)
        for cells in (signed, (signed.view(np.uint16) & 0x0FFF).view(np.int16)):
            assert np.array_equal(decode(make_dataset(cells, bits_stored=12)), signed)

    @pytest.mark.parametrize(
        "above", [OVERLAY << 12, OVERLAY << 15, NOISE << 12, OVERLAY << 13 | OVERLAY[::-1] << 14, OVERLAY * 0 + 0x9000]
    )
    def test_rubbish_and_overlays_above_bits_stored_are_cleared(self, above: np.ndarray[Any, Any]) -> None:
        assert np.array_equal(decode(make_dataset(BREAST | above.astype(np.uint16), bits_stored=12)), BREAST)
        packed = set_bits(make_dataset(BREAST | above.astype(np.uint16), JPEGLosslessSV1), 12)
        assert np.array_equal(decode(packed), BREAST)

    def test_a_declared_overlay_is_cleared_whatever_it_shows(self) -> None:
        wrapping = (WIDE & 0x0FFF) | (WIDE & 0x3000)  # bits 12 and 13 would pass for the picture's
        dataset = make_dataset(wrapping, bits_stored=12)
        for group, bit in ((0x6000, 12), (0x6002, 13)):
            dataset.add_new((group, 0x0102), "US", bit)
        assert np.array_equal(decode(dataset), WIDE & 0x0FFF)

    def test_negative_values_under_an_unsigned_header_are_refused(self) -> None:
        signed = (BREAST.astype(np.int32) - 2048).astype(np.int16)
        dataset = make_dataset(signed, JPEG2000Lossless, PixelRepresentation=0)
        with pytest.raises(PixelsContradictHeader, match="negative"):
            decode(dataset)


class TestHighBit:
    @pytest.mark.parametrize(("stored", "high"), [(12, 15), (10, 15), (12, 13), (14, 15), (8, 11)])
    def test_a_pixel_at_the_top_of_its_cell_is_moved_down(self, stored: int, high: int) -> None:
        pixels = draw_breast(bits=stored)
        cells = pixels << (high + 1 - stored)
        for syntax in (ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless):
            assert np.array_equal(decode(set_bits(make_dataset(cells, syntax), stored, high)), pixels)

    @pytest.mark.parametrize("high", [15, 13, 12, 7, 0, 40])
    def test_a_wrong_high_bit_is_ignored_where_the_values_fit_bits_stored(self, high: int) -> None:
        assert np.array_equal(decode(set_bits(make_dataset(BREAST), 12, high)), BREAST)

    @pytest.mark.parametrize("high", [15, 13])
    def test_values_that_fit_neither_are_refused(self, high: int) -> None:
        with pytest.raises(PixelsContradictHeader):
            decode(set_bits(make_dataset(WIDE), 12, high))


class TestEightBitsInSixteen:
    @pytest.mark.parametrize("syntax", LOSSLESS_ENCODERS, ids=lambda syntax: syntax.name)
    def test_every_codec_reads_them(self, syntax: UID) -> None:
        if syntax == HTJ2KLossless:
            pytest.importorskip("openjpeg")
        dataset = make_dataset(EIGHT, syntax)
        dataset.BitsAllocated = 16
        assert np.array_equal(decode(dataset), EIGHT)

    def test_jpeg_baseline_reads_them(self) -> None:
        frame = encapsulate([bytes(imagecodecs.jpeg8_encode(EIGHT, level=95))])
        plain = decode(make_dataset(EIGHT, JPEGBaseline8Bit, PixelData=frame))
        wide = decode(make_dataset(EIGHT, JPEGBaseline8Bit, PixelData=frame, BitsAllocated=16))
        assert wide.dtype == np.uint16
        assert np.array_equal(wide, plain)

    def test_a_single_rle_segment_is_read_as_one_byte(self) -> None:
        dataset = make_dataset(EIGHT, RLELossless)
        dataset.BitsAllocated = 16
        assert np.array_equal(decode(dataset), EIGHT)

    def test_native_cells_are_read(self) -> None:
        assert np.array_equal(decode(set_bits(make_dataset(EIGHT.astype(np.uint16)), 8)), EIGHT)


def start_of_frame(codestream: bytes) -> tuple[int, bytes]:
    """Offset and bytes of the first frame header of a JPEG."""
    marker = next(each for each in (b"\xff\xc3", b"\xff\xf7", b"\xff\xc0", b"\xff\xc1") if each in codestream)
    at = codestream.index(marker)
    return at, codestream[at : at + 2 + int.from_bytes(codestream[at + 2 : at + 4], "big")]


def enlarge(header: bytes) -> bytes:
    return header[:5] + b"\xea\x60\xea\x60" + header[9:]


JPEGS: dict[UID, Encoder] = {
    JPEGLossless: LOSSLESS_ENCODERS[JPEGLossless],
    JPEGLSLossless: LOSSLESS_ENCODERS[JPEGLSLossless],
    JPEGBaseline8Bit: lambda pixels: bytes(imagecodecs.jpeg8_encode((pixels >> 4).astype(np.uint8))),
}


class TestSecondFrameHeader:
    @pytest.mark.parametrize("syntax", JPEGS, ids=lambda syntax: syntax.name)
    @pytest.mark.parametrize("place", ["behind the first", "before the first", "behind a comment", "before the end", "in a second image"])
    def test_it_is_refused_before_anything_is_decoded(self, syntax: UID, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
        good = JPEGS[syntax](BREAST)
        at, header = start_of_frame(good)
        second = enlarge(header)
        end = good.rindex(b"\xff\xd9")
        bad = {
            "behind the first": good[: at + len(header)] + second + good[at + len(header) :],
            "before the first": good[:at] + second + good[at:],
            "behind a comment": good[: at + len(header)] + b"\xff\xfe\x00\x04ab\xff\xff" + second + good[at + len(header) :],
            "before the end": good[:end] + second + good[end:],
            "in a second image": good + good[:at] + second + good[at + len(header) :],
        }[place]

        def never(*_: Any, **__: Any) -> None:
            raise AssertionError("a decoder ran")

        monkeypatch.setattr("models.preprocessing.decode.FAST_DECODERS", dict.fromkeys(JPEGS, never))
        monkeypatch.setattr("models.preprocessing.decode.get_decoder", never)
        with pytest.raises(Undecodable, match="second"):
            decode(make_dataset(BREAST, syntax, PixelData=encapsulate([bad])))

    def test_a_frame_header_within_another_segment_is_no_frame_header(self) -> None:
        good = JPEGS[JPEGLossless](BREAST)
        _, header = start_of_frame(good)
        thumbnail = enlarge(header)
        comment = b"\xff\xfe" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
        packed = make_dataset(BREAST, JPEGLossless, PixelData=encapsulate([good[:2] + comment + good[2:]]))
        assert np.array_equal(decode(packed), BREAST)

    def test_a_second_size_in_jpeg_2000_is_refused(self) -> None:
        good = LOSSLESS_ENCODERS[JPEG2000Lossless](BREAST)
        length = 2 + int.from_bytes(good[4:6], "big")
        size = good[2 : 2 + length]
        for bad in (good[: 2 + length] + size + good[2 + length :], b"\xff\x4f" + size[:6] + b"\x00\x00\xff\xff" + size[10:] + good):
            with pytest.raises(Undecodable):
                decode(make_dataset(BREAST, JPEG2000Lossless, PixelData=encapsulate([bad])))

    def test_a_colour_codestream_is_not_grey(self) -> None:
        colour = bytes(imagecodecs.jpeg8_encode(np.stack([EIGHT] * 3, axis=-1)))
        with pytest.raises(NotGrey):
            decode(make_dataset(EIGHT, JPEGBaseline8Bit, PixelData=encapsulate([colour])))


def big_endian(pixels: np.ndarray[Any, Any], vr: str, **attributes: Any) -> pydicom.FileDataset:
    """A data set as it is read from an Explicit VR Big Endian file."""
    dataset = make_dataset(pixels, **attributes)
    swapped = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    if pixels.itemsize == 1 and vr == "OW":
        swapped = np.frombuffer(swapped, "<u2").byteswap().tobytes()
    dataset.PixelData = swapped
    dataset["PixelData"].VR = vr
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, implicit_vr=False, little_endian=False, enforce_file_format=True)
    return pydicom.dcmread(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize(
    ("pixels", "vr"),
    [
        (BREAST, "OW"),
        (WIDE, "OW"),
        ((BREAST.astype(np.int32) - 2048).astype(np.int16), "OW"),
        (EIGHT, "OB"),
        (EIGHT, "OW"),
    ],
)
def test_big_endian_pixels_come_back(pixels: np.ndarray[Any, Any], vr: str) -> None:
    assert np.array_equal(decode(big_endian(pixels, vr)), pixels)


def test_big_endian_tables_come_back() -> None:
    table = make_table(0, 12, [4095 - place for place in range(4096)])
    little = make_dataset(BREAST, VOILUTSequence=[table])
    ordinary = to_grey(BREAST, little)
    words = Dataset()
    words.add_new("LUTDescriptor", "US", [4096, 0, 12])
    words.add_new("LUTData", "OW", np.asarray([4095 - place for place in range(4096)], ">u2").tobytes())
    read = big_endian(BREAST, "OW", VOILUTSequence=[words])
    assert np.array_equal(to_grey(decode(read), read), ordinary)


class TestTables:
    @pytest.mark.parametrize(("bits", "announced"), [(12, 16), (10, 16), (12, 14), (10, 12), (8, 16), (8, 12)])
    def test_white_is_the_white_that_the_entries_reach(self, bits: int, announced: int) -> None:
        entries = [place >> (12 - bits) for place in range(4096)]
        right, wrong = (make_dataset(BREAST, VOILUTSequence=[make_table(0, each, entries)]) for each in (bits, announced))
        assert np.array_equal(to_grey(BREAST, wrong), to_grey(BREAST, right))

    @pytest.mark.parametrize("first", [32768, 40000, 50000, 60000, 65000])
    def test_a_first_mapped_value_with_the_wrong_sign_is_read_by_the_pixels(self, first: int) -> None:
        pixels = (BREAST.astype(np.uint32) // 8 + first).astype(np.uint16)
        entries = list(range(512))
        wrong_table = Dataset()
        wrong_table.add_new("LUTDescriptor", "SS", [512, first - 65536, 9])
        wrong_table.add_new("LUTData", "US", entries)
        for keyword in ("VOILUTSequence", "ModalityLUTSequence"):
            right, wrong = make_dataset(pixels), make_dataset(pixels)
            setattr(right, keyword, [make_table(first, 9, entries)])
            setattr(wrong, keyword, [wrong_table])
            grey = to_grey(pixels, wrong)
            assert np.array_equal(grey, to_grey(pixels, right))
            assert grey.max() > 150

    def test_a_negative_first_mapped_value_below_unsigned_pixels_stays(self) -> None:
        entries = list(range(4096))
        shifted = to_grey(BREAST, make_dataset(BREAST, VOILUTSequence=[as_signed(make_table(0, 12, entries), -5)]))
        assert np.abs(shifted.astype(int) - to_grey(BREAST, make_dataset(BREAST, VOILUTSequence=[make_table(0, 12, entries)]))).max() <= 1

    @pytest.mark.parametrize(
        ("pixels", "declared", "limit"),
        [
            (40000, 40000 - 65536, None),
            (65535, -1, None),
            (50000, -20000, -15536),
            (65000, 64900 - 65536, 65100 - 65536),
            (32768, -32768, None),
        ],
    )
    def test_padding_with_the_wrong_sign_is_padding(self, pixels: int, declared: int, limit: int | None) -> None:
        padded = BREAST.copy()
        padded[:, -60:] = pixels
        dataset = make_dataset(padded)
        dataset.add_new("PixelPaddingValue", "SS", declared)
        if limit is not None:
            dataset.add_new("PixelPaddingRangeLimit", "SS", limit)
        assert not to_grey(padded, dataset)[:, -60:].any()
        assert to_grey(padded, dataset).max() == 255


def as_signed(table: Dataset, first: int) -> Dataset:
    length, _, bits = table.LUTDescriptor
    table.add_new("LUTDescriptor", "SS", [length, first, bits])
    return table


CASES = {
    "07-voi-lut-narrower-than-declared/input.dcm": None,
    "08-bits-stored-smaller-than-data/a-j2k-14-bit-header-12.dcm": None,
    "08-bits-stored-smaller-than-data/c-native-values-14-bit-header-12.dcm": PixelsContradictHeader,
    "09-sign-of-lut-and-padding/a-first-mapped-SS-unsigned-pixels.dcm": None,
    "15-big-endian-upload/input.dcm": None,
}


@pytest.mark.parametrize("name", CASES)
def test_the_reported_images_are_read_or_refused(name: str, reported_cases: Path) -> None:
    dataset, error = pydicom.dcmread(reported_cases / name), CASES[name]
    if error is not None:
        with pytest.raises(error):
            decode(dataset)
        return
    grey = to_grey(decode(dataset), dataset)
    assert grey.max() > 200  # a wrapped or black picture has other grey levels at its ends
    assert np.percentile(grey, 5) < 60


def test_the_reported_table_gives_the_picture_of_a_right_one(reported_cases: Path) -> None:
    dataset = pydicom.dcmread(reported_cases / "07-voi-lut-narrower-than-declared/input.dcm")
    found = to_grey(decode(dataset), dataset)
    dataset.VOILUTSequence[0].LUTDescriptor[2] = 12
    assert np.array_equal(found, to_grey(decode(dataset), dataset))


def test_every_refusal_has_a_code() -> None:
    assert issubclass(PixelsContradictHeader, ModelsError)
    assert PixelsContradictHeader.code == "pixels-contradict-header"
