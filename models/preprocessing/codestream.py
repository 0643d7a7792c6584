"""Size and precision in a JPEG, JPEG-LS or JPEG 2000 codestream, read before any decoder allocates memory for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from models.errors import Undecodable

END_OF_IMAGE = b"\xff\xd9"
"""EOI and EOC. Entropy-coded data cannot contain it: JPEG stuffs a zero byte (JPEG-LS: a bit) after FF, JPEG 2000 stays below FF90."""

_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
_WRAPPED_WITHIN = 4096
"""Bytes of JP2 boxes that may precede a JPEG 2000 codestream."""
_START_OF_TILE, _SIZE = 0x90, 0x51
_START_OF_SCAN, _END = 0xDA, 0xD9
_NO_FRAME = {0xC4, 0xC8, 0xCC}
_FRAMES = {marker for marker in range(0xC0, 0xD0) if marker not in _NO_FRAME} | {0xF7}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_MARKER = re.compile(rb"\xff+([\x80-\xcf\xd8-\xfe])", re.DOTALL)
"""A marker after entropy-coded data or after bytes that do not belong there; restart markers do not end a scan."""
_NEXT_IMAGE = b"\xff\xd8\xff"


@dataclass(frozen=True)
class FrameHeader:
    """What a codestream says of its image.

    Parameters
    ----------
    precision
        Bits of a sample.
    components
        Samples of a pixel.
    signed
        Samples are signed; only JPEG 2000 can say so.
    """

    rows: int
    columns: int
    precision: int
    components: int
    signed: bool = False


def read_frame_header(codestream: bytes) -> FrameHeader | None:
    """Read the frame header of a codestream (ISO/IEC 10918-1 B.2.2, 14495-1 C.2.2, 15444-1 A.5.1); None where there is none.

    Every frame header is read: a decoder may allocate memory for another one than the first.

    Raises
    ------
    Undecodable
        There is a second frame header.
    """
    if codestream[:2] == b"\xff\xd8":
        return _read_jpeg(codestream)
    starts = [match.start() for match in re.finditer(re.escape(_START_OF_CODESTREAM), codestream[:_WRAPPED_WITHIN])]
    headers = {_read_jpeg2000(codestream, start) for start in starts}  # not at 0 where it is wrapped in JP2 boxes
    if len(headers) > 1:
        raise Undecodable("the pixel data hold a second JPEG 2000 codestream of another size")
    return headers.pop() if headers else None


def image_size(codestream: bytes) -> tuple[int, int] | None:
    """Rows, columns of a codestream; None where there is none. Raises Undecodable as `read_frame_header`."""
    header = read_frame_header(codestream)
    return (header.rows, header.columns) if header else None


def _read_jpeg(codestream: bytes) -> FrameHeader | None:
    """The only frame header of the image. A second image behind the end of the first one must be like it."""
    found: FrameHeader | None = None
    position, ended = 2, False
    while match := _MARKER.search(codestream, position):
        marker, position = match[1][0], match.end()
        if marker == _END:
            ended, position = True, codestream.find(_NEXT_IMAGE, position)
            if position < 0:
                break
            position += 2
        elif marker in _FRAMES:
            header = _read_start_of_frame(codestream[position : position + 8])
            if header is None:
                break
            if found is not None and (header != found or not ended):
                raise Undecodable("the pixel data hold a second JPEG frame header")
            found = header
            position += _length(codestream, position)
        elif marker not in _WITHOUT_LENGTH:
            position += _length(codestream, position)  # after Start of Scan the search passes over the entropy-coded data
    return found


def _length(codestream: bytes, position: int) -> int:
    return max(int.from_bytes(codestream[position : position + 2], "big"), 2)


def _read_start_of_frame(segment: bytes) -> FrameHeader | None:
    if len(segment) < 8:
        return None
    rows, columns = int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[5:7], "big")
    return FrameHeader(rows, columns, precision=segment[2], components=segment[7])


def _read_jpeg2000(codestream: bytes, start: int) -> FrameHeader | None:
    """The only SIZ segment of the main header, which Start of Tile-part ends."""
    found: FrameHeader | None = None
    position = start + 2
    while position + 4 <= len(codestream) and codestream[position] == 0xFF and codestream[position + 1] != _START_OF_TILE:
        if codestream[position + 1] == _SIZE:
            if found is not None:
                raise Undecodable("the pixel data hold a second JPEG 2000 image size")
            found = _read_image_size(codestream[position + 4 : position + 2 + _length(codestream, position + 2)])
            if found is None:
                return None
        position += 2 + _length(codestream, position + 2)
    return found


def _read_image_size(segment: bytes) -> FrameHeader | None:
    if len(segment) < 37:
        return None
    right, bottom, left, top = (int.from_bytes(segment[at : at + 4], "big") for at in (2, 6, 10, 14))
    if bottom <= top or right <= left:
        return None
    components, depth = int.from_bytes(segment[34:36], "big"), segment[36]
    return FrameHeader(bottom - top, right - left, (depth & 0x7F) + 1, components, signed=depth >= 0x80)
