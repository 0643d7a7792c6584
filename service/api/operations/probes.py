"""For those who run the service: is it alive, is it ready, what does it count."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service.api.auth import require_scope
from service.api.operations.probe_schemas import Health, Readiness
from service.domain.access import Scope
from service.health import Probe
from service.metrics import build_registry
from service.settings import Settings
from service.store.counts import Counts


def our_version() -> str:
    """Version of the installed distribution."""
    try:
        return version("mammotriage")
    except PackageNotFoundError:
        return "0"


def build_router(counts: Counts, probe: Probe, settings: Settings) -> APIRouter:
    """Routes at the root, where orchestrators look for them."""
    router = APIRouter(tags=["operations"])
    destinations = [destination.name for destination in settings.destinations]
    webhooks = [webhook.name for webhook in settings.webhooks]
    registry = build_registry(counts, destinations, webhooks, settings.reports_dir)

    @router.get("/healthz")
    def healthz() -> Health:
        """Is this process alive? Says nothing of the others."""
        return Health(status="alive", version=our_version())

    @router.get(
        "/readyz", response_model=Readiness, responses={503: {"model": Readiness, "description": "something is broken; `checks` names it"}}
    )
    def readyz() -> Response:
        """Can the service work? Proved by a C-ECHO to the listener, a PING to the broker and a query to the ledger."""
        checks = {name: broken or "ok" for name, broken in probe().items()}
        ready = all(state == "ok" for state in checks.values())
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(Readiness(ready=ready, checks=checks).model_dump(), status)

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"example": 'mammotriage_instances{state="analysed"} 8.0\n'}}}},
        dependencies=[require_scope(Scope.METRICS)],
    )
    def metrics() -> Response:
        """Counts of the ledger in the Prometheus text format: true over restarts and over all processes."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
