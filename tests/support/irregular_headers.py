"""Headers as hospitals really have them: labels odd, missing or malformed, private attributes, any script, records of earlier changes.

Everything is made of bytes, attribute by attribute, and taken apart again by a small parser of its own, so that nothing which pydicom
repairs or loses in silence can go unseen.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import pydicom
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

LONG = {"OB", "OW", "SQ", "UN", "UT", "UC", "UR", "OF", "OD", "OL", "OV", "SV", "UV"}
MAMMOGRAM, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.7"
IMAGE_LATERALITY, LATERALITY, VIEW_POSITION = 0x00200062, 0x00200060, 0x00185101
ORIENTATION, VIEW_CODES, RECORDS, EQUIPMENT = 0x00200020, 0x00540220, 0x04000561, 0x0018A001
COERCED, SOURCES, SIGNATURES = 0x00080015, 0x00082112, 0xFFFAFFFA
ITEM_END, SEQUENCE_END = 0xFFFEE00D, 0xFFFEE0DD
ENDLESS = 0xFFFFFFFF
VIEWS = {"399162004": "CC", "399368009": "MLO", "R-10242": "CC", "R-10226": "MLO", "399260004": "ML"}


class Endless(bytes):
    """The value of a sequence of undefined length, with its delimiter."""


Elements = dict[int, tuple[str, bytes]]
"""VR and value by tag."""


@dataclass(frozen=True)
class InstanceHeader:
    """The elements of an image, and how they are encoded."""

    elements: Elements
    implicit: bool

    def read(self) -> Dataset:
        """As it comes from disk."""
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = UID(MAMMOGRAM)
        meta.MediaStorageSOPInstanceUID = UID("1.2.3")
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if self.implicit else ExplicitVRLittleEndian
        buffer = io.BytesIO()
        buffer.write(b"\0" * 128 + b"DICM")
        write_file_meta_info(buffer, meta, enforce_standard=True)  # type: ignore[arg-type]  # any binary file will do
        buffer.write(encode(self.elements, self.implicit))
        buffer.seek(0)
        return pydicom.dcmread(buffer)


def encode(elements: Elements, implicit: bool) -> bytes:
    return b"".join(_element(tag, vr, value, implicit) for tag, (vr, value) in sorted(elements.items()))


def parse(dataset: Dataset) -> Elements:
    """Write a dataset and take its bytes apart: the value of each top-level element as it is in the file."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    data = buffer.getvalue()
    length = struct.unpack_from("<I", data, 140)[0]
    return split(data[144 + length :], dataset.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian)


def split(data: bytes, implicit: bool) -> Elements:
    """The elements of one level; the value of a sequence of undefined length ends with its delimiter."""
    elements: Elements = {}
    at = 0
    while at < len(data):
        tag, vr, length, at = _head(data, at, implicit)
        end = _end_of_sequence(data, at, implicit) if length == ENDLESS else at + length
        elements[tag] = vr, Endless(data[at:end]) if length == ENDLESS else data[at:end]
        at = end
    return elements


def items(value: bytes, implicit: bool) -> list[Elements]:
    """The items of a sequence's value."""
    found = []
    at = 0
    while at < len(value):
        tag, _, length, at = _head(value, at, implicit)
        if tag == SEQUENCE_END:
            break
        end = at + length if length != ENDLESS else _end_of_item(value, at, implicit)
        body = value[at:end]
        found.append(split(body[:-8] if length == ENDLESS else body, implicit))
        at = end
    return found


def sequence(members: list[Elements], implicit: bool, endless: bool = False) -> bytes:
    """The value of a sequence; `endless` with undefined lengths."""
    if endless:
        closed = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
        opened = struct.pack("<HHI", 0xFFFE, 0xE000, ENDLESS)
        body = b"".join(opened + encode(member, implicit) + closed for member in members)
        return Endless(body + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
    encoded = [encode(member, implicit) for member in members]
    return b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body for body in encoded)


def text(value: bytes) -> str:
    return value.rstrip(b" \0").decode("ascii", "replace").strip()


def _element(tag: int, vr: str, value: bytes, implicit: bool) -> bytes:
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    length = ENDLESS if isinstance(value, Endless) else len(value)
    if implicit:
        return head + struct.pack("<I", length) + value
    if vr in LONG:
        return head + vr.encode() + struct.pack("<HI", 0, length) + value
    return head + vr.encode() + struct.pack("<H", length) + value


def _head(data: bytes, at: int, implicit: bool) -> tuple[int, str, int, int]:
    group, element = struct.unpack_from("<HH", data, at)
    tag = group << 16 | element
    if implicit or group == 0xFFFE:
        return tag, "", struct.unpack_from("<I", data, at + 4)[0], at + 8
    vr = data[at + 4 : at + 6].decode()
    if vr in LONG:
        return tag, vr, struct.unpack_from("<I", data, at + 8)[0], at + 12
    return tag, vr, struct.unpack_from("<H", data, at + 6)[0], at + 8


def _end_of_sequence(data: bytes, at: int, implicit: bool) -> int:
    while True:
        tag, _, length, at = _head(data, at, implicit)
        if tag == SEQUENCE_END:
            return at
        at = at + length if length != ENDLESS else _end_of_item(data, at, implicit)


def _end_of_item(data: bytes, at: int, implicit: bool) -> int:
    while True:
        tag, _, length, at = _head(data, at, implicit)
        if tag == ITEM_END:
            return at
        at = at + length if length != ENDLESS else _end_of_sequence(data, at, implicit)


# Strategies.

even_bytes = st.binary(max_size=24).map(lambda value: value + b" " * (len(value) % 2))
charsets = st.sampled_from([b"", b"ISO_IR 100", b"ISO_IR 192", b"GB18030 ", b"\\ISO 2022 IR 87 ", b"ISO_IR 999", b"NONSENSE"])
names = st.sampled_from(
    [
        b"Phantom^Lady",
        "Müller^Änne ".encode("latin-1"),
        "Łukasiewicz^Żaneta=漢字^名".encode() + b" ",
        "Wang^XiaoDong=王^小东".encode("gb18030"),
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
        b"\xff\xfe broken ",
        b"",
    ]
).map(lambda value: value + b" " * (len(value) % 2))


def padded(*values: str) -> st.SearchStrategy[bytes]:
    return st.sampled_from(values).map(lambda value: value.encode() + b" " * (len(value) % 2))


def label(vr: str, *values: str) -> st.SearchStrategy[tuple[str, bytes] | None]:
    """Absent, one of the usual values, or anything at all, also under another VR."""
    usual = st.tuples(st.just(vr), padded("", *values))
    odd = st.tuples(st.sampled_from([vr, "LO", "UN", "SH", "US", "DS"]), even_bytes)
    return st.one_of(st.none(), usual, usual, usual, odd)


@st.composite
def codes(draw: st.DrawFn, implicit: bool) -> tuple[str, bytes] | None:
    """A View Code Sequence of none, one or two items, with modifiers and private parts; or something that is none."""
    how = draw(st.sampled_from(["absent", "empty", "items", "items", "items", "nonsense"]))
    if how == "absent":
        return None
    if how == "nonsense":
        return draw(st.sampled_from(["UN", "LO", "SQ"] if not implicit else ["SQ"])), draw(st.sampled_from([b"MLO ", b"\1\0" * 3]))
    members = []
    for _ in range(draw(st.integers(1, 2)) if how == "items" else 0):
        value, scheme = draw(st.tuples(st.sampled_from([*VIEWS, "X-1"]), st.sampled_from(["SCT", "SRT", "SNM3", "99XX"])))
        member: Elements = {
            0x00080100: ("SH", value.encode() + b" " * (len(value) % 2)),
            0x00080102: ("SH", scheme.encode() + b" " * (len(scheme) % 2)),
            0x00080104: ("LO", draw(names)),
        }
        if draw(st.booleans()):
            modifier: Elements = {0x00080100: ("SH", b"399011000 "), 0x00080102: ("SH", b"SCT "), 0x00080104: ("LO", b"Axillary Tail ")}
            some = [modifier] * draw(st.integers(0, 2))
            member[0x00540222] = "SQ", sequence(some, implicit, draw(st.booleans()))
        members.append(member)
    return "SQ", sequence(members, implicit, draw(st.booleans()))


@st.composite
def records(draw: st.DrawFn, implicit: bool) -> tuple[str, bytes] | None:
    """Items that tell of earlier changes, ours among them."""
    count = draw(st.sampled_from([None, None, 0, 1, 2]))
    if count is None:
        return None
    members = []
    for number in range(count):
        former: Elements = {0x00100010: ("PN", draw(names)), 0x00110010: ("LO", b"SOMEONE "), 0x00111001: ("UN", draw(even_bytes))}
        if draw(st.booleans()):
            former[IMAGE_LATERALITY] = "CS", b"L "
        members.append(
            {
                0x04000550: ("SQ", sequence([former], implicit, draw(st.booleans()))),
                0x04000562: ("DT", b"2025010112000%d" % number),
                0x04000563: ("LO", b"PACS"),
                0x04000564: ("LO", b""),
                0x04000565: ("CS", b"COERCE"),
            }
        )
    return "SQ", sequence(members, implicit, draw(st.booleans()))


@st.composite
def headers(draw: st.DrawFn) -> InstanceHeader:
    implicit = draw(st.booleans())
    elements: Elements = {
        0x00080016: ("UI", draw(st.sampled_from([MAMMOGRAM, SECONDARY_CAPTURE])).encode() + b"\0"),
        0x00080018: ("UI", b"1.2.826.0.1.4\0"),
        0x00080060: ("CS", b"MG"),
        0x0020000D: ("UI", b"1.2.826.0.1.2\0"),
        0x0020000E: ("UI", b"1.2.826.0.1.3\0"),
        0x00280010: ("US", b"\4\0"),
        0x00280011: ("US", b"\4\0"),
        0x7FE00010: ("OW", draw(st.binary(min_size=32, max_size=32))),
    }
    optional: dict[int, st.SearchStrategy[tuple[str, bytes] | None]] = {
        0x00080005: st.tuples(st.just("CS"), charsets),
        0x00080008: label("CS", "ORIGINAL\\PRIMARY", "DERIVED\\PRIMARY\\\\STEREO", "ORIGINAL"),
        COERCED: label("DT", "20250101120000", "19"),
        0x00080201: label("SH", "+0200", "-0930", "+9999", "later"),
        0x0008103E: st.tuples(st.just("LO"), names),
        SOURCES: st.sampled_from([None, ("SQ", b""), ("SQ", sequence([{0x00081155: ("UI", b"1.2.3.4\0")}], implicit))]),
        0x00100010: st.tuples(st.just("PN"), names),
        0x00100020: label("LO", "PH-1"),
        0x00110010: st.sampled_from([None, ("LO", b"SOMEONE ")]),
        0x00111001: st.one_of(st.none(), st.tuples(st.sampled_from(["LO", "UN", "DS"]), even_bytes)),
        0x00091001: st.one_of(st.none(), st.tuples(st.just("UN"), even_bytes)),
        0x00180060: label("DS", "28", "28.5"),
        VIEW_POSITION: label("CS", "CC", "MLO", "ML", "LCC", "cc"),
        0x00181508: label("CS", "MAMMOGRAPHIC"),
        ORIENTATION: label("CS", "P\\L", "A\\R", "P\\FL", "A\\FR", "MLO", "L\\P", "A\\FRL", "P", "\\", "x\\y"),
        LATERALITY: label("CS", "R", "L", "B", "LEFT"),
        IMAGE_LATERALITY: label("CS", "R", "L", "B", "U", "Right"),
        VIEW_CODES: codes(implicit),
        RECORDS: records(implicit),
        EQUIPMENT: st.sampled_from([None, ("SQ", sequence([{0x00080070: ("LO", b"ACME")}], implicit))]),
        SIGNATURES: st.sampled_from([None, None, ("SQ", sequence([{0x04000005: ("US", b"\1\0")}], implicit))]),
    }
    for tag, strategy in optional.items():
        chosen = draw(strategy)
        if chosen is not None:
            elements[tag] = chosen
    return InstanceHeader(elements, implicit)
