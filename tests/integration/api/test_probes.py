"""What orchestrators and monitoring ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.errors import PartNotReady
from service.health import check_part, make_probe
from service.receive.accept import ReceiveContext
from service.receive.listener import Listener
from service.settings import Settings
from service.stack import EmbeddedRedis
from service.store.files import FileStore
from service.store.ledger import Ledger
from tests.support.api_server import serve_api
from tests.support.databases import prepare_ledger
from tests.support.eventually import TIMEOUT_S
from tests.support.ports import free_port
from tests.support.sample_findings import full_field


def test_ready_only_while_every_part_works(tmp_path: Path) -> None:
    with serve_api(tmp_path) as served:
        assert served.client.get("/healthz").json()["status"] == "alive"
        ready = served.client.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        served.broken["broker"] = "ConnectionError"
        broken = served.client.get("/readyz")
        assert broken.status_code == 503
        assert broken.json()["checks"] == {"ledger": "ok", "broker": "ConnectionError", "listener": "ok"}


def test_metrics_count_what_the_ledger_holds(tmp_path: Path) -> None:
    with serve_api(tmp_path) as served:
        image = full_field()
        served.post(image, full_field())
        served.answer(image, "R", "CC")
        response = served.client.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain")
        assert 'mammotriage_instances{state="analysed"} 1.0' in response.text
        assert 'mammotriage_instances{state="received"} 1.0' in response.text
        assert str(image.PatientID) not in response.text


def test_the_probe_speaks_each_parts_own_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.health.TIMEOUT_S", TIMEOUT_S)
    broker = EmbeddedRedis(tmp_path / "redis")
    settings = Settings(
        data_dir=tmp_path, dicom_port=free_port(), redis_url=broker.url, calling_ae_titles=("PACS",), require_called_ae=True
    )
    prepare_ledger(settings.ledger_url)
    ledger = Ledger(settings.ledger_url)
    probe = make_probe(settings, ledger)
    assert probe() == {"ledger": None, "broker": "ConnectionError", "listener": "no association with the listener"}
    listener = Listener(ReceiveContext(FileStore(tmp_path), ledger, settings, lambda *_: None), settings)
    broker.start()
    listener.start()
    try:
        assert probe() == {"ledger": None, "broker": None, "listener": None}
        check_part("listener", settings)
        check_part("worker", settings)
    finally:
        listener.stop()
        broker.stop()
        ledger.close()
    with pytest.raises(PartNotReady):
        check_part("listener", settings)
    with pytest.raises(PartNotReady):
        check_part("api", settings)
    with pytest.raises(PartNotReady, match="no such part"):
        check_part("kettle", settings)
