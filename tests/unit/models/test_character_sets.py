"""Names in every character set are read as they were written, where pydicom alone reads them wrongly."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from models.attributes import read_text
from models.foreign_parsers import read_dicom

ESC = b"\x1b"


def read_name(character_set: bytes, name: bytes, tag: int = 0x00100010) -> str:
    """The value as it is read from a file with these very bytes."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = DigitalMammographyXRayImageStorageForPresentation, UID("2.25.1")
    file = io.BytesIO()
    pydicom.dcmwrite(file, pydicom.FileDataset("", Dataset(), file_meta=meta, preamble=bytes(128)), enforce_file_format=True)
    for each, vr, value in ((0x00080005, b"CS", character_set), (tag, b"PN" if tag == 0x00100010 else b"LO", name)):
        value += b" " * (len(value) % 2)
        file.write(
            (each >> 16).to_bytes(2, "little") + (each & 0xFFFF).to_bytes(2, "little") + vr + len(value).to_bytes(2, "little") + value
        )
    file.seek(0)
    dataset = read_dicom(file)
    return read_text(dataset, "PatientName" if tag == 0x00100010 else "PatientID")


def chinese(text: str) -> bytes:
    return ESC + b"$)A" + text.encode("gb2312")


def korean(text: str) -> bytes:
    return ESC + b"$)C" + text.encode("euc_kr")


def latin(text: str) -> bytes:
    return text.encode("latin_1")


@pytest.mark.parametrize(
    ("character_set", "name", "expected"),
    [
        (b"\\ISO 2022 IR 58", b"Zhang^XiaoDong=" + chinese("张") + b"^" + chinese("小东") + b"=", "Zhang^XiaoDong=张^小东"),
        (b"\\ISO 2022 IR 58", chinese("张") + b"^XiaoDong", "张^XiaoDong"),
        (b"ISO 2022 IR 100\\ISO 2022 IR 58", latin("ç^") + chinese("张") + latin("^ç"), "ç^张^ç"),
        (b"ISO_IR 100\\ISO 2022 IR 149", latin("ç^") + korean("ㅊ") + latin("^ç"), "ç^ㅊ^ç"),
        (b"ISO 2022 IR 100\\ISO 2022 IR 149", latin("é=") + korean("김희중") + latin("=é"), "é=김희중=é"),
        (b"\\ISO 2022 IR 149", b"Hong^Gildong=" + korean("홍") + b"^" + korean("길동"), "Hong^Gildong=홍^길동"),
        (
            b"ISO 2022 IR 144\\ISO 2022 IR 149",
            "Люкс^".encode("iso8859_5") + korean("김희중") + "^Люкс".encode("iso8859_5"),
            "Люкс^김희중^Люкс",
        ),
        (
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=" + "山田".encode("iso2022_jp") + b"^" + "太郎".encode("iso2022_jp"),
            "Yamada^Tarou=山田^太郎",
        ),
        (b"ISO_IR 192", "Müller^Łucja".encode(), "Müller^Łucja"),
        (b"GB18030", "王^小东".encode("gb18030"), "王^小东"),
    ],
)
def test_names_are_read_as_they_were_written(character_set: bytes, name: bytes, expected: str) -> None:
    assert read_name(character_set, name) == expected


NUL_INSIDE = [
    b"ISO_IR\x00100",
    b"ISO\x00IR 100",
    b"ISO_IR 1\x0000",
    b"\x00\x00",
    b"ISO_IR 100\x00\x00",
    b"ISO 2022 IR 6\\ISO\x002022 IR 149",
    b"\x00\\ISO 2022 IR 58",
]


@pytest.mark.parametrize("character_set", NUL_INSIDE)
def test_a_nul_in_a_character_set_refuses_nothing(character_set: bytes) -> None:
    assert read_name(character_set, b"Doe^Jane") == "Doe^Jane"


def test_text_in_chinese_is_read_too() -> None:
    assert read_name(b"\\ISO 2022 IR 58", b"a" + chinese("张"), tag=0x00100020) == "a张"


def test_a_name_is_written_with_the_escapes_that_it_came_with() -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 58"]
    dataset.PatientName = "Zhang^XiaoDong=张^小东"
    dataset.file_meta = FileMetaDataset()
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, implicit_vr=False, little_endian=True)
    assert chinese("张") in file.getvalue()


def test_the_reported_names_are_read(reported_cases: Path) -> None:
    assert read_text(read_dicom(reported_cases / "17-iso-2022-ir-58/input.dcm"), "PatientName") == "Zhang^XiaoDong=张^小东"
    assert read_text(read_dicom(reported_cases / "18-nul-in-character-set/input.dcm"), "PatientName") == "Test^Anna"
