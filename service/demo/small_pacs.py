"""A small archive for demonstrations and tests: C-ECHO, C-STORE, C-FIND and C-GET over a folder of files. No product."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind as StudyRootFind,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet as StudyRootGet,
)
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

TRANSFER_SYNTAXES = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.5",
)
KEYS = {
    "STUDY": ("StudyInstanceUID",),
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID"),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}
PENDING, SUCCESS, CANNOT_UNDERSTAND, IDENTIFIER_INVALID = 0xFF00, 0x0000, 0xC000, 0xA900


class SmallPacs:
    """Keeps what it is sent as ``<SOP Instance UID>.dcm``; an object sent again replaces the former one.

    Parameters
    ----------
    folder
        Where the files lie; made if absent. What is there already is served.
    ae_title
        Its AE title; it answers to any.
    port
        0 takes a free one, see `port` after `start`.
    """

    def __init__(self, folder: Path, ae_title: str = "SMALLPACS", port: int = 0, host: str = "127.0.0.1") -> None:
        self.folder = folder
        self.ae_title = ae_title
        self.host = host
        self.port = port
        self._server: ThreadedAssociationServer | None = None

    def start(self) -> None:
        """Listen; returns at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ae = AE(ae_title=self.ae_title)
        ae.maximum_pdu_size = 131_072
        ae.add_supported_context(Verification)
        ae.add_supported_context(StudyRootFind)
        ae.add_supported_context(StudyRootGet)
        for context in AllStoragePresentationContexts:
            ae.add_supported_context(context.abstract_syntax or "", TRANSFER_SYNTAXES, scu_role=True, scp_role=True)
        handlers: list[Any] = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_FIND, self._find), (evt.EVT_C_GET, self._get)]
        self._server = ae.start_server((self.host, self.port), block=False, evt_handlers=handlers)
        if self._server is not None:
            self.port = self._server.server_address[1]

    def stop(self) -> None:
        """Stop listening; the files stay."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def paths(self) -> list[Path]:
        """Files it holds, by name."""
        return sorted(self.folder.glob("*.dcm"))

    def _store(self, event: Event) -> int:
        uid = str(event.file_meta.MediaStorageSOPInstanceUID)
        if not re.fullmatch(r"[0-9.]{1,64}", uid):
            return CANNOT_UNDERSTAND
        with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
            file.write(event.encoded_dataset())
        Path(file.name).replace(self.folder / f"{uid}.dcm")
        return SUCCESS

    def _find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        query = event.identifier
        level = query.get("QueryRetrieveLevel", "")
        if level not in KEYS:
            yield IDENTIFIER_INVALID, None
            return
        seen: set[tuple[str, ...]] = set()
        for header in self._matches(query):
            key = tuple(str(header.get(keyword, "")) for keyword in KEYS[level])
            if key in seen:
                continue
            seen.add(key)
            answer = Dataset()
            for element in query:
                answer.add(header.get(element.tag, element))
            yield PENDING, answer

    def _get(self, event: Event) -> Iterator[int | tuple[int, Dataset]]:
        paths = [self.folder / f"{header.SOPInstanceUID}.dcm" for header in self._matches(event.identifier)]
        yield len(paths)
        for path in paths:
            if event.is_cancelled:
                return
            yield PENDING, pydicom.dcmread(path)

    def _matches(self, query: Dataset) -> Iterator[Dataset]:
        """Headers of the instances that have the UIDs asked for; no other key narrows the search."""
        wanted = {keyword: _values(query, keyword) for keyword in KEYS["IMAGE"]}
        for path in self.paths():
            if wanted["SOPInstanceUID"] and path.stem not in wanted["SOPInstanceUID"]:
                continue
            header = pydicom.dcmread(path, stop_before_pixels=True)
            if all(not values or header.get(keyword) in values for keyword, values in wanted.items()):
                yield header


def _values(query: Dataset, keyword: str) -> list[str]:
    value = query.get(keyword) or []
    return [str(value)] if isinstance(value, str) else [str(each) for each in value]
