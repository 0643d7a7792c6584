"""The HTTP application, put together from its parts."""

from __future__ import annotations

from fastapi import FastAPI

from service.api.accounts import routes as accounts
from service.api.auth import AuditMiddleware, Authenticator
from service.api.corrections import routes as corrections
from service.api.deliveries import routes as deliveries
from service.api.dicomweb import stow as dicomweb
from service.api.events import routes as events_stream
from service.api.events.feed import Feed
from service.api.feedback import routes as feedback
from service.api.hanging import routes as hanging
from service.api.http.methods import MethodMiddleware
from service.api.http.problems import install_problems
from service.api.openapi import install_documentation
from service.api.operations import probes as operations
from service.api.operations import routes as overview
from service.api.quality import routes as quality
from service.api.studies import heatmaps as pictures
from service.api.studies import pixels as frames
from service.api.studies import routes as studies
from service.api.studies import timeline, worklist
from service.health import Probe
from service.jobs.context import Context
from service.receive.accept import ReceiveContext

DESCRIPTION = """Labels 2D mammograms from their pixels, compares them with the DICOM header, and orders the worklist.
A triage aid for research: it is no medical device and no diagnosis."""


def create_app(context: Context, probe: Probe) -> FastAPI:
    """Build the API.

    Parameters
    ----------
    context
        With a ledger whose database has been migrated. A broker that is away fails no request: the sweeper publishes what the ledger
        holds.
    probe
        Asks every part whether it works, for ``/readyz``.
    """
    settings, ledger = context.settings, context.ledger
    receiving = ReceiveContext(store=context.store, ledger=ledger, settings=settings, publish=context.publisher.analyse)
    app = FastAPI(title="mammotriage", version=operations.our_version(), description=DESCRIPTION, openapi_url=None)
    app.state.authenticator = Authenticator(ledger, settings)
    app.add_middleware(MethodMiddleware)
    app.add_middleware(AuditMiddleware, audit_log=ledger.audit_log, settings=settings)
    app.state.feed = Feed(ledger.events)
    install_problems(app)
    app.include_router(worklist.build_router(ledger.studies))
    app.include_router(events_stream.build_router(app.state.feed))
    app.include_router(studies.build_router(receiving))
    app.include_router(hanging.build_router(ledger, app.state.feed))
    app.include_router(pictures.build_router(receiving))
    app.include_router(frames.build_router(receiving))
    app.include_router(timeline.build_router(ledger))
    app.include_router(corrections.build_router(context))
    app.include_router(deliveries.build_router(context))
    app.include_router(overview.build_router(context, probe))
    app.include_router(feedback.build_router(ledger.feedback))
    app.include_router(quality.build_router(ledger.quality))
    app.include_router(dicomweb.build_router(receiving))
    app.include_router(accounts.build_router(ledger))
    app.include_router(operations.build_router(ledger.counts, probe, settings))
    install_documentation(app, settings)
    return app
