"""``/api/v1/deliveries`` and ``/api/v1/destinations``: what was owed to whom, what came of it, and how each peer is doing."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from service.api.auth import require_scope
from service.api.auth.decision_author import decision_author
from service.api.deliveries.presenter import SLOW_AFTER_S, show_delivery, show_destination
from service.api.deliveries.schemas import DeliveryOut, DeliveryPage, DestinationList, Retry
from service.api.http.params import STUDY_INSTANCE_UID, Cursor, Id, Word
from service.api.http.problems import ProblemError, problem_responses
from service.domain.access import Identity, Scope
from service.domain.findings import DeliveryState
from service.jobs.context import Context
from service.jobs.corrections import retry_delivery
from service.store.deliveries import DeliveryRow

Study = Annotated[
    str | None, Query(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64, description="only of this study", examples=[STUDY_INSTANCE_UID])
]


def build_router(context: Context) -> APIRouter:
    """Routes over one ledger, one broker and the configured destinations."""
    router = APIRouter(prefix="/api/v1", tags=["deliveries"])
    ledger = context.ledger

    @router.get("/deliveries", response_model=DeliveryPage, responses=problem_responses(422), dependencies=[require_scope(Scope.READ)])
    def deliveries(
        state: Annotated[DeliveryState | None, Query(description="only deliveries in this state")] = None,
        destination: Annotated[Word | None, Query(description="only to this destination")] = None,
        study: Study = None,
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=500, description="deliveries a page")] = 50,
    ) -> DeliveryPage:
        """Objects owed to destinations, in the order in which they were planned."""
        rows = ledger.deliveries.find(
            state=state, study_instance_uid=study, destination=destination, after_id=int(cursor or 0), limit=limit + 1
        )
        return _page(rows, limit)

    @router.get(
        "/deliveries/troubled", response_model=DeliveryPage, responses=problem_responses(422), dependencies=[require_scope(Scope.READ)]
    )
    def troubled(
        destination: Annotated[Word | None, Query(description="only to this destination")] = None,
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=500, description="deliveries a page")] = 50,
    ) -> DeliveryPage:
        """Deliveries that ended without proof, and those on their way for more than ten minutes; newest first."""
        rows = ledger.failures.failed_or_slow_deliveries(SLOW_AFTER_S, destination, int(cursor or 0), limit + 1)
        return _page(rows, limit)

    @router.get(
        "/deliveries/{delivery_id}",
        response_model=DeliveryOut,
        responses=problem_responses(404, 422),
        dependencies=[require_scope(Scope.READ)],
    )
    def delivery(delivery_id: Id) -> DeliveryOut:
        """One delivery."""
        row = ledger.deliveries.get(delivery_id)
        if row is None:
            raise _unknown()
        return show_delivery(row)

    @router.post(
        "/deliveries/{delivery_id}/retry",
        response_model=DeliveryOut,
        responses=problem_responses(404, 409, 422),
    )
    def retry(delivery_id: Id, request: Retry, actor: Annotated[Identity, require_scope(Scope.OPERATE)]) -> DeliveryOut:
        """Give a delivery that ended without proof fresh tries, and begin at once."""
        try:
            return show_delivery(retry_delivery(context, delivery_id, decision_author(actor, request.actor)))
        except LookupError:
            raise _unknown() from None

    @router.get("/destinations", response_model=DestinationList, dependencies=[require_scope(Scope.READ)])
    def destinations() -> DestinationList:
        """Every configured destination without its secrets, with its state in the ledger. No peer is called."""
        known = {row.name: row for row in ledger.destinations.all()}
        return DestinationList(destinations=[show_destination(each, known.get(each.name)) for each in context.settings.destinations])

    return router


def _page(rows: list[DeliveryRow], limit: int) -> DeliveryPage:
    more = str(rows[limit - 1].id) if len(rows) > limit else None
    return DeliveryPage(deliveries=[show_delivery(row) for row in rows[:limit]], next_cursor=more)


def _unknown() -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "unknown-delivery", "no delivery has this number")
