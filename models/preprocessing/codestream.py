"""The image size in a JPEG, JPEG-LS or JPEG 2000 codestream, read before any decoder allocates memory for it."""

from __future__ import annotations

END_OF_IMAGE = b"\xff\xd9"
"""EOI and EOC. Entropy-coded data cannot contain it: JPEG stuffs a zero byte (JPEG-LS: a bit) after FF, JPEG 2000 stays below FF90."""

_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
_NO_FRAME = {0xC4, 0xC8, 0xCC}
_FRAMES = {marker for marker in range(0xC0, 0xD0) if marker not in _NO_FRAME} | {0xF7}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}


def image_size(codestream: bytes) -> tuple[int, int] | None:
    """Rows, columns of a codestream (ISO/IEC 10918-1 B.2.2, 14495-1 C.2.2, 15444-1 A.5.1); None where it is none."""
    if codestream[:2] == b"\xff\xd8":
        return _jpeg_size(codestream)
    start = codestream.find(_START_OF_CODESTREAM, 0, 4096)  # not at 0 where it is wrapped in JP2 boxes
    return _jpeg2000_size(codestream[start + 4 : start + 40]) if start >= 0 else None


def _jpeg_size(codestream: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 9 <= len(codestream) and codestream[position] == 0xFF:
        marker = codestream[position + 1]
        if marker in _FRAMES:
            rows = int.from_bytes(codestream[position + 5 : position + 7], "big")
            columns = int.from_bytes(codestream[position + 7 : position + 9], "big")
            return rows, columns
        if marker == 0xFF:
            position += 1
        elif marker in _WITHOUT_LENGTH:
            position += 2
        else:
            position += 2 + int.from_bytes(codestream[position + 2 : position + 4], "big")
    return None


def _jpeg2000_size(segment: bytes) -> tuple[int, int] | None:
    if len(segment) < 20:
        return None
    right, bottom, left, top = (int.from_bytes(segment[at : at + 4], "big") for at in (4, 8, 12, 16))
    return (bottom - top, right - left) if bottom > top and right > left else None
