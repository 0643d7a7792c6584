"""The stack as `make serve` starts it: real processes, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from service.demo.run import open_client
from service.destinations import Destination
from service.errors import ProcessNotStarted
from service.settings import Settings
from service.stack import PARTS, EmbeddedRedis, Stack, as_environment
from service.store.ledger import Ledger
from tests.support.eventually import eventually
from tests.support.full_stack import START_S
from tests.support.ports import free_port
from tests.support.sample_findings import full_field


def settings_for(folder: Path, **changed: object) -> Settings:
    values = {"data_dir": folder / "data", "dicom_port": free_port(), "http_port": free_port(), "disk_free_min_bytes": 0, **changed}
    return Settings(**values)  # type: ignore[arg-type]


def test_children_read_equal_settings(clean_environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pacs = Destination(name="pacs", ae_title="PACS", host="pacs", port=104)
    given = settings_for(
        tmp_path, destinations=(pacs,), analyse_film=True, calling_ae_titles=("A", "B"), study_idle_seconds=2.5, model_dir=tmp_path
    )
    for name, value in as_environment(given).items():
        clean_environment.setenv(name, value)
    assert Settings() == given


def test_a_queue_survives_a_restart_of_the_broker(tmp_path: Path) -> None:
    broker = EmbeddedRedis(tmp_path)
    broker.start()
    with redis.Redis.from_url(broker.url) as client:
        client.rpush("routine", "1.2.3")
    broker.stop()
    broker.start()
    with redis.Redis.from_url(broker.url) as client:
        assert client.lrange("routine", 0, -1) == [b"1.2.3"]
    broker.stop()


def test_a_part_that_is_killed_comes_back_and_all_end_with_the_stack(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    ledger = Ledger(settings.ledger_url)
    with Stack(settings, tmp_path / "logs") as stack:
        stack.wait_until_ready(START_S)
        eventually(lambda: len(ledger.workers.all()) == settings.worker_concurrency)
        listener = stack.parts["listener"].process
        listener.send_signal(signal.SIGKILL)
        eventually(lambda: stack.parts["listener"].restarts == 1)
        stack.wait_until_ready(START_S)
        pids = [part.process.pid for part in stack.parts.values()]
        family = [each for pid in pids for each in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]]
        broker_url = stack.settings.redis_url
        assert len(pids) == len(PARTS)
    # On a busy machine the last to be killed may take a moment to be gone.
    eventually(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family))
    with redis.Redis.from_url(broker_url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    assert ledger.workers.all() == [], "who was stopped in order is not lost"
    ledger.close()


def test_a_stack_that_cannot_work_says_where_to_look(tmp_path: Path) -> None:
    taken = EmbeddedRedis(tmp_path / "squatter")
    taken.start()
    try:
        with (
            Stack(settings_for(tmp_path, dicom_port=taken.port), tmp_path / "logs") as stack,
            pytest.raises(ProcessNotStarted, match="logs"),
        ):
            stack.wait_until_ready(timeout_s=20)
    finally:
        taken.stop()


@pytest.mark.peer
def test_serve_tells_where_it_is_takes_a_folder_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAMMOTRIAGE_")} | as_environment(settings)
    log = tmp_path / "serve.log"
    with log.open("wb") as file:
        serve = subprocess.Popen([sys.executable, "-m", "service.cli", "serve"], stdout=file, stderr=file, env=environment)
    eventually(lambda: "Ctrl-C stops it" in log.read_text() or serve.poll() is not None)
    said = log.read_text()
    assert f"MAMMOTRIAGE listens for C-STORE on 127.0.0.1:{settings.dicom_port}" in said
    assert f"{settings.public_api_url}/docs" in said
    assert "no user exists yet: mammotriage users add NAME --role admin" in said
    images = tmp_path / "images"
    images.mkdir()
    study = full_field()
    study.save_as(images / "one.dcm", enforce_file_format=True)
    (images / "notes.txt").write_text("no image")
    send = subprocess.run(
        [sys.executable, "-m", "service.cli", "send", str(images)], capture_output=True, text=True, env=environment, check=False
    )
    assert send.returncode == 1 and "notes.txt: not a DICOM object" in send.stderr, "what was not sent is named"
    assert "1 of 2 files stored" in send.stdout
    with open_client(settings) as client:
        shown = client.get("/api/v1/studies").json()["studies"]
    assert [each["study_instance_uid"] for each in shown] == [study.StudyInstanceUID]
    serve.send_signal(signal.SIGINT)
    assert serve.wait() == 0
    assert "Traceback" not in log.read_text()


def test_sending_to_nobody_is_said_so(tmp_path: Path) -> None:
    full_field().save_as(tmp_path / "one.dcm", enforce_file_format=True)
    command = [sys.executable, "-m", "service.cli", "send", str(tmp_path), "--port", str(free_port())]
    send = subprocess.run(command, capture_output=True, text=True, check=False)
    assert send.returncode == 2
    assert "listener-unreachable" in send.stderr
    assert "Traceback" not in send.stderr
