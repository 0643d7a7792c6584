"""WADO-RS, the parts of an object: frames, and other long values under their BulkDataURI (PS3.18 sections 10.4.1.1.5 and 10.4.1.1.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from itertools import chain
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from service.api.auth import require_scope
from service.api.dicomweb.archive import Archive
from service.api.dicomweb.files import NATIVE, Opened, as_explicit, frame_bits, open_file, read_blocks
from service.api.dicomweb.media_types import ANY, OCTETS, Range, not_acceptable, read_accept
from service.api.dicomweb.params import SeriesUid, SopUid, StudyUid
from service.api.http.multipart_response import OutgoingPart, stream_parts
from service.api.http.problems import ProblemError, problem_responses
from service.domain.access import Scope
from service.receive.accept import ReceiveContext

IMAGE_TYPES = {
    RLELossless: "image/dicom-rle",
    **{f"1.2.840.10008.1.2.4.{number}": "image/jpeg" for number in (50, 51, 57, 70)},
    **{f"1.2.840.10008.1.2.4.{number}": "image/jls" for number in (80, 81)},
    **{f"1.2.840.10008.1.2.4.{number}": "image/jp2" for number in (90, 91)},
    **{f"1.2.840.10008.1.2.4.{number}": "image/jphc" for number in (201, 202, 203)},
}
"""Media type of a compressed frame, by transfer syntax (PS3.18 table 8.7.3-5)."""
AS_IT_LIES = frozenset({ExplicitVRLittleEndian, ImplicitVRLittleEndian})
"""Transfer syntaxes whose pixels are the bytes of the file."""

_WAY = r"^[0-9A-Fa-f]{8}(/[0-9]{1,4}/[0-9A-Fa-f]{8}){0,8}$"
Way = Annotated[str, Path(pattern=_WAY, description="tag, or tags and numbers of items", examples=["7FE00010"])]
Numbers = Annotated[str, Path(pattern=r"^[0-9]{1,6}(,[0-9]{1,6}){0,999}$", description="numbers of frames, from 1", examples=["1"])]

_PARTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the values",
        "content": {f'multipart/related; type="{OCTETS}"': {"schema": {"type": "string", "format": "binary"}}},
    },
    **problem_responses(400, 404, 406, 410, 422),
}


def build_router(context: ReceiveContext) -> APIRouter:
    """Routes over one ledger and one store."""
    router = APIRouter(
        prefix="/studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}",
        dependencies=[require_scope(Scope.READ)],
    )
    archive, spool = Archive(context), context.store.spool_dir

    @router.get("/frames/{numbers}", response_class=Response, responses=_PARTS)
    def frames(
        request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid, sop_instance_uid: SopUid, numbers: Numbers
    ) -> Response:
        """Frames: decompressed, or as they are stored where the client takes that."""
        (stored,) = archive.find(study_instance_uid, series_instance_uid, sop_instance_uid)
        return _send_frames(request, archive.open(stored), [int(each) for each in numbers.split(",")], spool)

    @router.get("/bulkdata/{way:path}", response_class=Response, responses=_PARTS)
    def bulk_data(
        request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid, sop_instance_uid: SopUid, way: Way
    ) -> Response:
        """One long value, decompressed where it holds pixels."""
        (stored,) = archive.find(study_instance_uid, series_instance_uid, sop_instance_uid)
        return _send_value(request, archive.open(stored), way, spool)

    return router


def _send_frames(request: Request, opened: Opened, numbers: Sequence[int], spool: FilePath) -> Response:
    if opened.pixel_tag is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "no-pixel-data", "this object has no pixels")
    if not all(1 <= number <= opened.frames for number in numbers):
        raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-frame", f"this object has {opened.frames} frames, counted from 1")
    for each in read_accept(request):
        image_type = IMAGE_TYPES.get(str(opened.syntax), "")
        alone = len(numbers) == 1 and each.media_type in (OCTETS, image_type)
        stored_type = _stored_type(opened, each, image_type)
        if stored_type:
            blocks: Iterator[Iterator[bytes]] = ([frame] for frame in _encapsulated(opened, numbers))  # type: ignore[misc]
            content_type = f"{stored_type}; transfer-syntax={opened.syntax}"
        elif (each.takes_parts_of(OCTETS) or each.media_type == OCTETS) and _wants_native(opened, each):
            blocks = native_frames(opened, numbers, spool)
            content_type = f"{OCTETS}; transfer-syntax={ExplicitVRLittleEndian}"
        else:
            continue
        found = [next(blocks)] if len(numbers) == 1 else blocks  # what cannot be decoded is known before the answer begins
        if alone:
            (only,) = found
            return StreamingResponse(iter(only), media_type=content_type)
        return stream_parts((OutgoingPart(content_type, frame) for frame in found), content_type.partition(";")[0])
    raise not_acceptable(f"{OCTETS}, or the transfer syntax that it is stored in: transfer-syntax=*")


def _stored_type(opened: Opened, each: Range, image_type: str) -> str:
    """As which type the compressed frames may go out as they are; empty where they may not."""
    if opened.syntax in NATIVE or each.transfer_syntax not in ("", ANY, opened.syntax):
        return ""
    named = each.part_type or each.media_type
    if image_type and named in (image_type, "image/*", image_type.replace("/", "/x-")):
        return image_type
    octets = each.takes_parts_of(OCTETS) or each.media_type == OCTETS
    return OCTETS if each.transfer_syntax and octets else ""


def _wants_native(opened: Opened, each: Range) -> bool:
    return each.transfer_syntax in ("", ExplicitVRLittleEndian) or (each.transfer_syntax == ANY and opened.syntax in NATIVE)


def _encapsulated(opened: Opened, numbers: Sequence[int]) -> Iterator[bytes]:
    """Compressed frames, in the order in which they are asked for, each read when it is its turn (PS3.5 section A.4)."""
    for number in numbers:
        with opened.path.open("rb") as file:
            file.seek(opened.pixel_offset)
            try:
                frames = generate_frames(file, number_of_frames=opened.frames)
                frame = next(each for index, each in enumerate(frames, 1) if index == number)
            except Exception as error:  # damaged fragments make pydicom raise anything
                raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-frame", "the stored pixel data hold no such frame") from error
        yield frame


def native_frames(opened: Opened, numbers: Sequence[int], spool: FilePath) -> Iterator[Iterator[bytes]]:
    """Frames as their decompressed bytes, each read when it is its turn. Raises `ProblemError`, `NotTranscodable`."""
    with _plain(opened, spool) as plain:
        length = _frame_bytes(plain)
        for number in numbers:
            if number * length > plain.pixel_length:
                raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-frame", "the stored pixel data are shorter than the header says")
            yield iter(list(_slice(plain, (number - 1) * length, length)))


@contextmanager
def _plain(opened: Opened, spool: FilePath) -> Iterator[Opened]:
    """The object with pixels that are the bytes of a file; decompressed into a file of the spool for so long where they are not."""
    if opened.syntax in AS_IT_LIES:
        yield opened
        return
    with as_explicit(opened, spool) as file:
        yield open_file(FilePath(file.name))


def _frame_bytes(opened: Opened) -> int:
    bits = frame_bits(opened.header)
    if bits <= 0 or bits % 8:
        raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-frame", "the header does not say how long a frame is in whole bytes")
    return bits // 8


def _slice(opened: Opened, start: int, length: int) -> Iterator[bytes]:
    with opened.path.open("rb") as file:
        file.seek(opened.pixel_offset + start)
        yield from read_blocks(file, length)


def _send_value(request: Request, opened: Opened, way: str, spool: FilePath) -> Response:
    blocks = _started(_pixel_blocks(opened, spool)) if _names_pixels(opened, way) else iter([_value(opened.header, way)])
    for each in read_accept(request):
        if each.transfer_syntax not in ("", ANY, ExplicitVRLittleEndian):
            continue
        if each.media_type == OCTETS:
            return StreamingResponse(blocks, media_type=OCTETS)
        if each.takes_parts_of(OCTETS):
            return stream_parts([OutgoingPart(OCTETS, blocks)], OCTETS)
    raise not_acceptable(OCTETS)


def _names_pixels(opened: Opened, way: str) -> bool:
    return opened.pixel_tag is not None and way.upper() == f"{opened.pixel_tag:08X}"


def _pixel_blocks(opened: Opened, spool: FilePath) -> Iterator[bytes]:
    with _plain(opened, spool) as plain:
        yield from _slice(plain, 0, plain.pixel_length)


def _started(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks, the first of them read: what cannot be decoded is known before the answer begins."""
    return chain([next(blocks, b"")], blocks)


def _value(dataset: Dataset, way: str) -> bytes:
    *into, tag = re.split("/", way)
    try:
        for sequence, number in zip(into[::2], into[1::2], strict=True):
            dataset = dataset[Tag(int(sequence, 16))].value[int(number)]
        value = dataset[Tag(int(tag, 16))].value
    except Exception:  # absent, or not readable: pydicom converts on first access
        value = None
    if not isinstance(value, bytes):
        raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-value", "the object has no binary value there")
    return value
