"""The API on a real socket, over a real ledger and store; a worker's answers are entered by hand."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import httpx
from fastapi import FastAPI
from pydicom import Dataset

from service.accounts.sessions import OpenedSession, open_session
from service.api.auth import issue_key
from service.api.auth.cookies import cookie_name
from service.domain.access import Role, Scope
from service.domain.findings import Conclusion, DeliveryState, ImageFinding, LabelCorrection, Priority, Reasoning
from service.jobs.context import Context
from service.jobs.planning import plan_correction, plan_study
from service.jobs.queues import ANALYSE, DELIVER, Publisher
from service.settings import Settings
from service.store.files import FileStore
from service.store.ledger import Ledger
from service.web.server import SiteServer
from service.web.site import create_site
from tests.support.databases import prepare_ledger
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.sample_findings import analysed, concluded

PEOPLE = {Role.VIEWER: ("vera", "Vera Viewer"), Role.APPROVER: ("anna", "Anna Approver"), Role.ADMIN: ("ada", "Ada Admin")}
"""Name and displayed name of a person for each role."""

CLIENT_TIMEOUT_S = 120.0
"""Only a guard: a busy machine may be slow to answer."""
FOUR_VIEWS = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))


class RecordingPublisher(Publisher):
    """A publisher that writes down what it was asked for: no broker runs here."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url)
        self.asked: list[tuple[str, str | int]] = []

    def _publish(self, task: str, argument: str | int, priority: Priority) -> None:
        self.asked.append((task, argument))


@dataclass
class Served:
    """A client of the API that holds a key for everything, and what is behind it."""

    client: httpx.Client
    ledger: Ledger
    store: FileStore
    settings: Settings
    publisher: RecordingPublisher
    site: FastAPI
    broken: dict[str, str | None] = field(default_factory=dict)

    @contextmanager
    def client_with(self, *scopes: Scope) -> Iterator[httpx.Client]:
        """A client with a key of its own for these scopes; without any it shows nothing."""
        with httpx.Client(base_url=self.settings.public_api_url, timeout=CLIENT_TIMEOUT_S, trust_env=False) as client:
            if scopes:
                secret, _ = issue_key(self.ledger.api_keys, f"test-{uuid.uuid4().hex}", frozenset(scopes), "tests")
                client.headers["Authorization"] = f"Bearer {secret}"
            yield client

    @contextmanager
    def person(self, role: Role | str = Role.ADMIN) -> Iterator[httpx.Client]:
        """A client that is signed in with this role, and sends the session's token along as our pages do."""
        with httpx.Client(base_url=self.settings.public_api_url, timeout=CLIENT_TIMEOUT_S, trust_env=False) as client:
            client.cookies.set(cookie_name(self.settings), (session := self.sign_in(role)).token)
            client.headers["X-CSRF-Token"] = session.csrf_token
            yield client

    def sign_in(self, role: Role | str = Role.ADMIN) -> OpenedSession:
        """Open a session for a person of this role; the account is made where it is not there: Vera Viewer, Anna Approver, Ada Admin."""
        name, shown = PEOPLE[Role(role)]
        if self.ledger.users.get(name) is None:
            self.ledger.users.add(name, shown, Role(role))
        return self.sign_in_as(name)

    def sign_in_as(self, name: str) -> OpenedSession:
        """Open a session of an account that is there."""
        return open_session(self.ledger.sessions, self.settings, name)

    @property
    def published(self) -> list[str]:
        """Images that were queued."""
        return [str(argument) for task, argument in self.publisher.asked if task == ANALYSE]

    @property
    def queued(self) -> list[int]:
        """Deliveries that were queued."""
        return [int(argument) for task, argument in self.publisher.asked if task == DELIVER]

    def post(self, *images: Dataset | bytes, prefer: str | None = None) -> httpx.Response:
        files = [("files", (f"{number}.dcm", as_bytes(image), "application/dicom")) for number, image in enumerate(images)]
        return self.client.post("/api/v1/studies", files=files, headers={"Prefer": prefer} if prefer else {})

    def answer(self, image: Dataset, side: str, view: str, score: float = 0.2) -> ImageFinding:
        """Enter what a worker would."""
        finding = analysed(str(image.SOPInstanceUID), side, view, score)
        self.ledger.instances.record_finding(finding)
        return finding

    def conclude(
        self, study_instance_uid: str, corrections: Iterable[LabelCorrection] = (), reasoning: Reasoning | None = None
    ) -> Conclusion:
        """Conclude on all that has ended, and enter what follows for the configured destinations."""
        images = self.ledger.instances.of_study(study_instance_uid)
        findings = [row.finding for row in images if row.finding]
        conclusion = concluded(study_instance_uid, findings, corrections, version=0).model_copy(
            update={"reasoning": reasoning or Reasoning()}
        )
        destinations = self.settings.destinations
        recorded = self.ledger.record_conclusion(
            conclusion, images, lambda numbered: plan_study(numbered, destinations), lambda row: plan_correction(row, destinations)
        )
        assert recorded is not None
        return recorded

    def deliver(self, delivery_id: int, state: DeliveryState = DeliveryState.VERIFIED, error: str | None = None) -> None:
        """Bring a delivery to its end, as a worker would."""
        assert self.ledger.deliveries.claim(delivery_id, lease_s=60)
        self.ledger.deliveries.mark_sent(delivery_id)
        self.ledger.deliveries.finish(delivery_id, state, error)


def as_bytes(image: Dataset | bytes) -> bytes:
    if isinstance(image, bytes):
        return image
    buffer = BytesIO()
    image.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@contextmanager
def serve_api(folder: Path, **changed: object) -> Iterator[Served]:
    settings = Settings(**{"data_dir": folder, "disk_free_min_bytes": 0, "http_port": free_port(), **changed})  # type: ignore[arg-type]
    prepare_ledger(settings.ledger_url)
    ledger, store = Ledger(settings.ledger_url), FileStore(folder)
    publisher = RecordingPublisher(settings.redis_url)
    broken: dict[str, str | None] = {"ledger": None, "broker": None, "listener": None}
    app = create_site(Context(settings, store, ledger, publisher), lambda: broken)
    server = SiteServer(app, port=settings.http_port, log_config=None, ws="none")
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive(), what="the server starts", every_s=0.005)
        secret, _ = issue_key(ledger.api_keys, "tests", frozenset(Scope), "tests")
        key = {"Authorization": f"Bearer {secret}"}
        with httpx.Client(base_url=settings.public_api_url, timeout=CLIENT_TIMEOUT_S, trust_env=False, headers=key) as client:
            yield Served(client, ledger, store, settings, publisher, app, broken)
    finally:
        server.should_exit = True
        thread.join()
        ledger.close()
