"""``/api/v1/studies/{uid}/hanging``: which image hangs where, for hanging-protocol software."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter

from service.api.access import needs
from service.api.hanging_presentation import show_hanging
from service.api.hanging_schemas import HangingOut
from service.api.problems import ProblemError, problem_responses
from service.api.schemas import Uid
from service.domain.access import Scope
from service.store.ledger import Ledger


def build_router(ledger: Ledger) -> APIRouter:
    """Routes over one ledger."""
    router = APIRouter(prefix="/api/v1", tags=["hanging"], dependencies=[needs(Scope.READ)])

    @router.get("/studies/{study_uid}/hanging", response_model=HangingOut, responses=problem_responses(404, 422))
    def study_hanging(study_uid: Uid) -> HangingOut:
        """Which image hangs where, by what the pixels show."""
        standing = ledger.standings([study_uid]).get(study_uid)
        if standing is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-study", "no study has this Study Instance UID")
        return show_hanging(standing, ledger.instances_of(study_uid))

    return router
