"""The HTTP application, put together from its parts."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from service.api import dicomweb, operations, pictures, studies
from service.api.problems import install_problems
from service.api.readiness import Probe
from service.domain.findings import Priority
from service.receive.accept import ReceiveContext
from service.settings import Settings
from service.store.instances import InstanceStore
from service.store.ledger import Ledger

DESCRIPTION = """Labels 2D mammograms from their pixels, compares them with the DICOM header, and orders the worklist.
A triage aid for research: it is no medical device and no diagnosis."""


def create_app(settings: Settings, ledger: Ledger, store: InstanceStore, publish: Callable[[str, Priority], None], probe: Probe) -> FastAPI:
    """Build the API.

    Parameters
    ----------
    ledger, store
        Opened; the database has been migrated.
    publish
        Queues an accepted instance. Its failure fails no upload: the sweeper publishes what the ledger holds.
    probe
        Asks every part whether it works, for ``/readyz``.
    """
    context = ReceiveContext(store=store, ledger=ledger, settings=settings, publish=publish)
    app = FastAPI(title="mammotriage", version=operations.our_version(), description=DESCRIPTION, redoc_url=None)
    install_problems(app)
    app.include_router(studies.build_router(context))
    app.include_router(pictures.build_router(context))
    app.include_router(dicomweb.build_router(context))
    app.include_router(operations.build_router(ledger, probe, settings))
    return app
