"""QIDO-RS (PS3.18 section 10.6): search for studies, series and instances, received ones and our own.

The ledger finds and counts; what it has no column for, and what is shown, is read from the files of one page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from service.api.auth import require_scope
from service.api.dicomweb.files import locate, open_file
from service.api.dicomweb.json_model import Json, write
from service.api.dicomweb.matching import matches
from service.api.dicomweb.media_types import JSON, require_json
from service.api.dicomweb.params import SeriesUid, StudyUid
from service.api.dicomweb.query import MOST_RESULTS, Query, read_query
from service.api.dicomweb.results import describe_instance, describe_series, describe_study
from service.api.dicomweb.urls import Urls
from service.api.http.problems import ProblemError, problem_responses
from service.domain.access import Scope
from service.errors import FileUnreadable
from service.receive.accept import ReceiveContext
from service.store.dicom_objects import ObjectFilter, SeriesKey, StoredInstance

log = logging.getLogger(__name__)

Found = TypeVar("Found")

MOST_OPENED = 2000
"""Files that one search looks into, where it asks for what the ledger does not know."""
BATCH = 200


_EXAMPLE = [
    {
        "00080020": {"vr": "DA", "Value": ["20260305"]},
        "00080061": {"vr": "CS", "Value": ["MG", "SR"]},
        "0020000D": {"vr": "UI", "Value": ["2.25.338214000"]},
        "00201208": {"vr": "IS", "Value": [5]},
    }
]
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "what was found", "content": {JSON[0]: {"schema": {"type": "array"}, "example": _EXAMPLE}}},
    204: {"description": "nothing was found"},
    **problem_responses(400, 406, 413, 422),
}


def _parameter(name: str, description: str, example: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": {"type": "string"}, "example": example}


_OPENAPI = {
    "parameters": [
        _parameter(
            "StudyDate", "any attribute by keyword, tag or way through sequences; ranges, lists of UIDs, * and ?", "20260101-20261231"
        ),
        _parameter("includefield", "additional attributes of the response, or `all`", "StudyDescription,00080090"),
        _parameter("limit", f"at most so many; never more than {MOST_RESULTS}", "100"),
        _parameter("offset", "leave out so many", "0"),
        _parameter("fuzzymatching", "names are matched literally, and a Warning says so", "false"),
        _parameter("emptyvaluematching", '`true`: the value `""` finds what has no value', "false"),
        _parameter("multiplevaluematching", "`true`: lists with commas or backslashes, of any attribute", "false"),
    ]
}


def build_router(context: ReceiveContext) -> APIRouter:
    """Routes over one ledger and one store."""
    router = APIRouter(dependencies=[require_scope(Scope.READ)])
    search = _Search(context)

    def _route(path: str) -> Callable[..., Any]:
        return router.get(path, response_class=Response, responses=_RESPONSES, openapi_extra=_OPENAPI)

    @_route("/studies")
    def studies(request: Request) -> Response:
        """Search for studies; those that came last first."""
        return search.answer(request, search.studies, read_query(request))

    @_route("/series")
    def series(request: Request) -> Response:
        """Search for series of any studies."""
        return search.answer(request, search.series, read_query(request), with_study=True)

    @_route("/instances")
    def instances(request: Request) -> Response:
        """Search for instances of any studies."""
        return search.answer(request, search.instances, read_query(request), with_study=True, with_series=True)

    @_route("/studies/{study_instance_uid}/series")
    def series_of_study(request: Request, study_instance_uid: StudyUid) -> Response:
        """Search for series of a study."""
        return search.answer(request, search.series, read_query(request, study_instance_uid=study_instance_uid))

    @_route("/studies/{study_instance_uid}/instances")
    def instances_of_study(request: Request, study_instance_uid: StudyUid) -> Response:
        """Search for instances of a study."""
        return search.answer(request, search.instances, read_query(request, study_instance_uid=study_instance_uid), with_series=True)

    @_route("/studies/{study_instance_uid}/series/{series_instance_uid}/instances")
    def instances_of_series(request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid) -> Response:
        """Search for instances of a series."""
        return search.answer(
            request, search.instances, read_query(request, study_instance_uid=study_instance_uid, series_instance_uid=series_instance_uid)
        )

    return router


class _Search:
    def __init__(self, context: ReceiveContext) -> None:
        self._ledger, self._store, self._settings = context.ledger, context.store, context.settings

    def answer(self, request: Request, level: Callable[..., tuple[list[Json], bool]], query: Query, **shown: bool) -> Response:
        media_type = require_json(request)
        found, more = level(query, Urls(request, self._settings), **shown)
        warnings = list(query.warnings)
        if more:
            warnings.append('299 mammotriage "There are additional results that can be requested."')
        headers = {"Warning": ", ".join(warnings)} if warnings else {}
        if not found:
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
        return Response(write(found), headers=headers, media_type=media_type)

    def studies(self, query: Query, urls: Urls) -> tuple[list[Json], bool]:
        def find(offset: int, limit: int) -> list[tuple[str, list[StoredInstance]]]:
            uids = self._ledger.dicom_objects.find_studies(query.wanted, offset, limit)
            held: dict[str, list[StoredInstance]] = {uid: [] for uid in uids}
            for each in self._ledger.dicom_objects.find_instances(ObjectFilter(study_instance_uids=tuple(uids))) if uids else ():
                held[each.study_instance_uid].append(each)
            return list(held.items())

        page, more = self._page(query, find, lambda found: self._speaker(found[0], found[1], query))
        return [describe_study(uid, held, header, query, urls) for (uid, held), header in page], more

    def series(self, query: Query, urls: Urls, with_study: bool = False) -> tuple[list[Json], bool]:
        def find(offset: int, limit: int) -> list[tuple[SeriesKey, list[StoredInstance]]]:
            keys = self._ledger.dicom_objects.find_series(query.wanted, offset, limit)
            held: dict[SeriesKey, list[StoredInstance]] = {key: [] for key in keys}
            wanted = ObjectFilter(
                study_instance_uids=_once(key.study_instance_uid for key in keys),
                series_instance_uids=_once(key.series_instance_uid for key in keys),
            )
            for each in self._ledger.dicom_objects.find_instances(wanted) if keys else ():
                held.setdefault(SeriesKey(each.study_instance_uid, each.series_instance_uid), []).append(each)
            return [(key, held[key]) for key in keys]

        page, more = self._page(query, find, lambda found: _speaks_for(found[1]))
        return [describe_series(key, held, header, query, urls, with_study) for (key, held), header in page], more

    def instances(self, query: Query, urls: Urls, with_study: bool = False, with_series: bool = False) -> tuple[list[Json], bool]:
        page, more = self._page(
            query, lambda offset, limit: self._ledger.dicom_objects.find_instances(query.wanted, offset, limit), lambda found: found
        )
        return [describe_instance(each, header, query, urls, with_study, with_series) for each, header in page], more

    def _page(
        self, query: Query, find: Callable[[int, int], list[Found]], speaker: Callable[[Found], StoredInstance]
    ) -> tuple[list[tuple[Found, Dataset]], bool]:
        """The results of the requested page, each with the header that describes it, and whether there are more."""
        if not query.in_files:
            found = find(query.offset, query.limit + 1)
            return [(each, self._header(speaker(each))) for each in found[: query.limit]], len(found) > query.limit
        matched: list[tuple[Found, Dataset]] = []
        opened = 0
        while len(matched) <= query.offset + query.limit:
            batch = find(opened, BATCH)
            for each in batch:
                header = self._header(speaker(each))
                if all(any(matches(header, way, value) for value in values) for way, values in query.in_files):
                    matched.append((each, header))
            opened += len(batch)
            if len(batch) < BATCH:
                break
            if opened >= MOST_OPENED:
                detail = f"more than {MOST_OPENED} files would be opened: narrow the search by patient, date, accession number or UID"
                raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "search-too-wide", detail)
        page = matched[query.offset : query.offset + query.limit]
        return page, len(matched) > query.offset + query.limit

    def _speaker(self, study_instance_uid: str, held: Sequence[StoredInstance], query: Query) -> StoredInstance:
        """The object whose header describes a study: one of the patient that was searched for, where the study has several."""
        keys = {"PatientID": query.wanted.patient_ids, "PatientName": query.wanted.patient_names}
        asked = {keyword: values for keyword, values in keys.items() if any(values)}
        if not asked or not self._ledger.study_patients.others([study_instance_uid]):
            return _speaks_for(held)
        for each in held:
            header = self._header(each)
            if all(any(matches(header, (Tag(keyword),), value) for value in values) for keyword, values in asked.items()):
                return each
        return _speaks_for(held)

    def _header(self, stored: StoredInstance) -> Dataset:
        """What the file says; the UIDs alone where it cannot be read."""
        try:
            return open_file(locate(stored, self._store)).header
        except FileUnreadable as error:
            log.warning("a stored file cannot be read", extra={"sop_instance_uid": stored.sop_instance_uid, "cause": str(error)})
            header = Dataset()
            header.SOPClassUID, header.SOPInstanceUID = stored.sop_class_uid, stored.sop_instance_uid
            header.StudyInstanceUID, header.SeriesInstanceUID, header.Modality = (
                stored.study_instance_uid,
                stored.series_instance_uid,
                stored.modality,
            )
            return header


def _speaks_for(held: Sequence[StoredInstance]) -> StoredInstance:
    """The object whose header describes a study or a series: a received one is preferred to a derived one."""
    return min(held, key=lambda each: (each.path is None, each.sop_instance_uid))


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
