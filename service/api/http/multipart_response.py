"""Multipart answers (RFC 2387; PS3.18 section 8.6.1.2) that are sent as they are read: never a whole object in memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from fastapi.responses import StreamingResponse


@dataclass(frozen=True)
class OutgoingPart:
    """One part, and where its bytes come from."""

    content_type: str
    """With its parameters."""
    blocks: Iterable[bytes]


def stream_parts(parts: Iterable[OutgoingPart], part_type: str, status: int = HTTPStatus.OK) -> StreamingResponse:
    """Answer with these parts, one after the other.

    Parameters
    ----------
    part_type
        Media type of the parts, for the header of the whole.
    """
    boundary = uuid.uuid4().hex
    media_type = f'multipart/related; type="{part_type}"; boundary={boundary}'
    return StreamingResponse(_write(parts, boundary), status, media_type=media_type)


def _write(parts: Iterable[OutgoingPart], boundary: str) -> Iterator[bytes]:
    for part in parts:
        yield f"--{boundary}\r\nContent-Type: {part.content_type}\r\n\r\n".encode()
        yield from part.blocks
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
