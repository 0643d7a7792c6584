"""``/api/v1/studies`` as a list: the worklist page by page, narrowed and searched."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from service.api.auth import require_scope
from service.api.http.problems import problem_responses
from service.api.studies.presenter import summarise
from service.api.studies.schemas import StudyPage
from service.api.studies.worklist_schemas import StationList, StudyQuery, StudySearch
from service.domain.access import Scope
from service.store.studies import Studies


def build_router(studies: Studies) -> APIRouter:
    """Routes over one ledger."""
    router = APIRouter(prefix="/api/v1", tags=["studies"], dependencies=[require_scope(Scope.READ)])

    @router.get("/studies", response_model=StudyPage, responses=problem_responses(422))
    def worklist(query: Annotated[StudyQuery, Query()]) -> StudyPage:
        """The worklist, page by page. To search by patient, POST: names and IDs do not belong in a URL, which proxies write down."""
        return _page(query)

    @router.post("/studies/search", response_model=StudyPage, responses=problem_responses(422))
    def search(query: StudySearch) -> StudyPage:
        """The worklist with the same filters in the body, and a search by patient, accession number or UID."""
        return _page(query)

    @router.get("/stations", response_model=StationList)
    def stations() -> StationList:
        """Stations that sent studies, for the filter."""
        return StationList(stations=studies.stations())

    def _page(query: StudyQuery) -> StudyPage:
        rows, next_cursor = studies.find(query.order, query.as_filter(), query.cursor, query.limit)
        return StudyPage(studies=[summarise(row) for row in rows], next_cursor=next_cursor)

    return router
