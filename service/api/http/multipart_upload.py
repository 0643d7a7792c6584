"""Multipart bodies written to the spool as they arrive: form-data and related alike, never a whole file in memory."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from email.message import Message
from email.utils import collapse_rfc2231_value
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from service.api.http.multipart_delimiters import DelimiterReader, PreambleTooLong
from service.api.http.problems import ProblemError

MAX_PARTS = 4096


@dataclass
class Part:
    """One part of a multipart body, on disk."""

    path: Path
    headers: dict[str, str] = field(default_factory=dict)
    size: int = 0
    """Bytes that were sent; not all of them are on the disk where `is_too_large`."""
    is_too_large: bool = False

    @property
    def content_type(self) -> str:
        """Media type without parameters, lower case; empty where the part names none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def name(self) -> str:
        """Name of the form field; empty where there is none."""
        return _parameters(self.headers.get("content-disposition", "")).get("name", "")


def _parameters(header: str) -> dict[str, str]:
    """Parameters of a header such as ``multipart/related; boundary=x``, names in lower case; the value itself under ''."""
    message = Message()
    message["content-type"] = header
    found = message.get_params(failobj=[], header="content-type")
    # A value may be encoded (RFC 2231).
    return {
        ("" if index == 0 else name.lower()): (name if index == 0 else collapse_rfc2231_value(value))
        for index, (name, value) in enumerate(found)
    }


class _PartWriter:
    """Callbacks of the parser: each part becomes a file in the spool."""

    def __init__(self, spool: Path, max_part_bytes: int) -> None:
        self.spool, self.max_part_bytes = spool, max_part_bytes
        self.parts: list[Part] = []
        self.complete = False
        self._file: BinaryIO | None = None
        self._field = self._value = b""

    def on_part_begin(self) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-many-parts", f"a request holds at most {MAX_PARTS} parts")
        descriptor, path = tempfile.mkstemp(dir=self.spool, prefix="http-", suffix=".part")
        self._file = os.fdopen(descriptor, "wb")
        self.parts.append(Part(Path(path)))

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self.parts[-1].headers[self._field.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._field = self._value = b""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        part.size += end - start
        if part.size > self.max_part_bytes:
            part.is_too_large = True
            return
        assert self._file is not None
        self._file.write(data[start:end])

    def on_part_end(self) -> None:
        self.close()

    def on_end(self) -> None:
        self.complete = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        self.close()
        for part in self.parts:
            part.path.unlink(missing_ok=True)


async def spool_parts(request: Request, spool: Path, media_type: str, max_part_bytes: int) -> list[Part]:
    """Write every part of a multipart body to its own file in the spool.

    Parameters
    ----------
    spool
        Folder on the file system of the store, so that a part becomes an instance by a rename.
    media_type
        ``multipart/form-data`` or ``multipart/related``.
    max_part_bytes
        The rest of a longer part is not kept: it is too large, and the other parts are read.

    Raises
    ------
    ProblemError
        Another media type (415), no boundary or a broken or truncated body (400), a limit passed (413). Nothing stays in the spool then.
    """
    parameters = _parameters(request.headers.get("content-type", ""))
    if parameters.get("", "").lower() != media_type:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", f"send {media_type}")
    boundary = parameters.get("boundary", "").encode("latin-1", "replace")
    if not boundary:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "no-boundary", "the Content-Type names no boundary")
    writer = _PartWriter(spool, max_part_bytes)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": writer.on_part_begin,
                "on_header_field": writer.on_header_field,
                "on_header_value": writer.on_header_value,
                "on_header_end": writer.on_header_end,
                "on_part_data": writer.on_part_data,
                "on_part_end": writer.on_part_end,
                "on_end": writer.on_end,
            },
        )
        delimiters = DelimiterReader(boundary)
        async for chunk in request.stream():
            # Disk writes stay off the event loop, so that other requests go on.
            await run_in_threadpool(parser.write, delimiters.feed(chunk))
        await run_in_threadpool(parser.write, delimiters.finish())
        parser.finalize()
        if not writer.complete:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "broken-multipart", "the body ends before its closing boundary")
    except (MultipartParseError, PreambleTooLong):
        writer.discard()
        raise ProblemError(HTTPStatus.BAD_REQUEST, "broken-multipart", "the body is no well-formed multipart message") from None
    except BaseException:
        writer.discard()
        raise
    return writer.parts
