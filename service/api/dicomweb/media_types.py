"""What a DICOMweb client takes: Accept, header or query parameter (PS3.18 sections 8.3.3.1 and 8.7; RFC 9110 section 12.5.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request

from service.api.http.problems import ProblemError

ANY = "*"
JSON = ("application/dicom+json", "application/json")
DICOM = "application/dicom"
OCTETS = "application/octet-stream"
MULTIPART = "multipart/related"

_COMMA = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')
_SEMICOLON = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*$)')
_LONGEST = 4096


@dataclass(frozen=True)
class Range:
    """One media range."""

    media_type: str
    """Lower case: ``multipart/related``, ``*/*`` ..."""
    part_type: str
    """Of each part of a multipart answer; empty where none is named."""
    transfer_syntax: str
    """UID; ``*`` for whatever is there; empty for the default of the resource."""
    quality: float

    def takes(self, media_type: str) -> bool:
        """Whether an answer of this type in one piece is taken."""
        return _covers(self.media_type, media_type)

    def takes_parts_of(self, media_type: str) -> bool:
        """Tell whether the client accepts a multipart response with parts of this type; without a type parameter any part is accepted."""
        return _covers(self.media_type, MULTIPART) and (not self.part_type or _covers(self.part_type, media_type))


def _covers(wanted: str, offered: str) -> bool:
    return wanted in ("*/*", offered) or (wanted.endswith("/*") and offered.startswith(wanted[:-1]))


def read_accept(request: Request) -> list[Range]:
    """What the client takes, best first; anything where it says nothing. A query parameter ``accept`` counts before the header.

    Raises
    ------
    ProblemError
        400 for a value longer than any honest one.
    """
    text = request.query_params.get("accept") or ", ".join(request.headers.getlist("accept")) or "*/*"
    if len(text) > _LONGEST:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "accept-too-long", f"Accept has at most {_LONGEST} characters here")
    ranges = [_read_range(each) for each in _COMMA.split(text) if each.strip()]
    return sorted((each for each in ranges if each.quality > 0), key=lambda each: -each.quality)


def _read_range(text: str) -> Range:
    media_type, *rest = _SEMICOLON.split(text)
    parameters = {}
    for each in rest:
        name, _, value = each.partition("=")
        parameters[name.strip().lower()] = value.strip().strip('"').strip()
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        quality = 0.0
    syntax = parameters.get("transfer-syntax", "")
    return Range(media_type.strip().lower(), parameters.get("type", "").lower(), syntax, quality if 0 <= quality <= 1 else 0.0)


def require_json(request: Request) -> str:
    """Which of the two names of DICOM JSON the client takes.

    Raises
    ------
    ProblemError
        406 where it takes neither.
    """
    for each in read_accept(request):
        for media_type in JSON:
            if each.takes(media_type):
                return media_type
    raise not_acceptable(JSON[0])


def not_acceptable(*offered: str) -> ProblemError:
    """The problem of a client that takes nothing that could be given."""
    return ProblemError(HTTPStatus.NOT_ACCEPTABLE, "not-acceptable", f"offered here: {', '.join(offered)}")
