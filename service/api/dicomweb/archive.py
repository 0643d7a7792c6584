"""The stored objects of one data folder, as WADO-RS returns them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydicom.uid import ExplicitVRLittleEndian

from service.api.dicomweb.files import UNFIT, Opened, as_explicit, locate, open_file, read_blocks
from service.api.dicomweb.json_model import Json, as_json, bulk, write
from service.api.dicomweb.media_types import ANY, DICOM, Range, not_acceptable, read_accept, require_json
from service.api.dicomweb.results import available
from service.api.dicomweb.urls import Urls
from service.api.http.multipart_response import OutgoingPart, stream_parts
from service.api.http.problems import ProblemError
from service.errors import FileUnreadable, NotTranscodable
from service.receive.accept import ReceiveContext
from service.store.dicom_objects import ObjectFilter, StoredInstance

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """The stored objects of one data folder, and how they are handed out."""

    context: ReceiveContext

    def find(self, study_instance_uid: str, series_instance_uid: str = "", sop_instance_uid: str = "") -> list[StoredInstance]:
        """What a path names. Raises `ProblemError` (404) where that is nothing."""
        wanted = ObjectFilter(
            (study_instance_uid,), (series_instance_uid,) if series_instance_uid else (), (sop_instance_uid,) if sop_instance_uid else ()
        )
        found = self.context.ledger.dicom_objects.find_instances(wanted)
        if not found:
            named = "instance" if sop_instance_uid else "series" if series_instance_uid else "study"
            raise ProblemError(HTTPStatus.NOT_FOUND, f"unknown-{named}", f"no {named} is here under these UIDs")
        return found

    def open(self, stored: StoredInstance) -> Opened:
        """Raises `FileUnreadable`."""
        return open_file(locate(stored, self.context.store))

    def send(self, request: Request, wanted: Sequence[StoredInstance], single: bool = False) -> Response:
        """The objects as files, in a transfer syntax that the client takes."""
        opened, lost = self._open_all(wanted)
        for each in read_accept(request):
            alone = single and each.media_type == DICOM
            if not (alone or each.takes_parts_of(DICOM)) or not all(_fits(one, each) for one in opened):
                continue
            if single:
                # Only one object: that it cannot be written so is known before the answer begins.
                parts: Iterator[OutgoingPart] | list[OutgoingPart] = [self._write(opened[0], each.transfer_syntax)]
            else:
                parts = (self._write_or_leave(one, each.transfer_syntax) for one in opened)
            if alone:
                (part,) = parts
                return StreamingResponse(iter(part.blocks), media_type=part.content_type)
            return stream_parts(parts, DICOM, HTTPStatus.PARTIAL_CONTENT if lost else HTTPStatus.OK)
        raise not_acceptable(f'multipart/related; type="{DICOM}", with transfer-syntax=* or {ExplicitVRLittleEndian}')

    def describe(self, request: Request, wanted: Sequence[StoredInstance]) -> Response:
        """The metadata of the objects, written as they are read."""
        media_type, urls = require_json(request), Urls(request, self.context.settings)

        def write_all() -> Iterator[bytes]:
            for number, stored in enumerate(wanted):
                yield b"," if number else b"["
                yield write(self._metadata(stored, urls))
            yield b"]"

        return StreamingResponse(write_all(), media_type=media_type)

    def _open_all(self, wanted: Sequence[StoredInstance]) -> tuple[list[Opened], bool]:
        opened, lost = [], None
        for each in wanted:
            try:
                opened.append(self.open(each))
            except FileUnreadable as error:
                log.error("a stored file cannot be read", extra={"sop_instance_uid": each.sop_instance_uid, "cause": str(error)})
                lost = error
        if lost and not opened:
            raise lost
        return opened, lost is not None

    def _write(self, opened: Opened, syntax: str) -> OutgoingPart:
        if opened.syntax == ExplicitVRLittleEndian or (syntax in (ANY, opened.syntax) and opened.syntax not in UNFIT):
            return OutgoingPart(f"{DICOM}; transfer-syntax={opened.syntax}", _file_blocks(opened))
        explicit = as_explicit(opened, self.context.store.spool_dir)
        return OutgoingPart(f"{DICOM}; transfer-syntax={ExplicitVRLittleEndian}", _closing(explicit))

    def _write_or_leave(self, opened: Opened, syntax: str) -> OutgoingPart:
        """As it is stored, which its part says, where it cannot be decompressed: an object of many must not be missing."""
        try:
            return self._write(opened, syntax)
        except NotTranscodable as error:
            log.warning("sent as it is stored", extra={"cause": str(error)})
            return OutgoingPart(f"{DICOM}; transfer-syntax={opened.syntax}", _file_blocks(opened))

    def _metadata(self, stored: StoredInstance, urls: Urls) -> Json:
        def link(way: str) -> str:
            return urls.bulk_data(stored, way)

        try:
            opened = self.open(stored)
        except FileUnreadable as error:
            log.error("a stored file cannot be read", extra={"sop_instance_uid": stored.sop_instance_uid, "cause": str(error)})
            uids = {
                "00080016": stored.sop_class_uid,
                "00080018": stored.sop_instance_uid,
                "0020000D": stored.study_instance_uid,
                "0020000E": stored.series_instance_uid,
            }
            return {tag: {"vr": "UI", "Value": [uid]} for tag, uid in uids.items()}
        answer = as_json(opened.header, link)
        answer["00083002"] = {"vr": "UI", "Value": available(opened.header)}
        if opened.pixel_tag is not None:
            way = f"{opened.pixel_tag:08X}"
            answer[way] = bulk(link, way, opened.pixel_vr)
        return answer


def _fits(opened: Opened, each: Range) -> bool:
    """Whether an object can be had in the transfer syntax that is asked for; one without pixels fits every compressed one."""
    if each.transfer_syntax in ("", ANY, ExplicitVRLittleEndian):
        return True
    if each.transfer_syntax in UNFIT:
        return False
    return each.transfer_syntax == opened.syntax or opened.pixel_tag is None


def _file_blocks(opened: Opened) -> Iterator[bytes]:
    with opened.path.open("rb") as file:
        yield from read_blocks(file)


def _closing(file: Any) -> Iterator[bytes]:
    with file:
        yield from read_blocks(file)
