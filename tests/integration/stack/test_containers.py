"""No Docker engine runs where the tests run: the files are checked, and the very commands of docker-compose.yml run as processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from service.demo.run import DemoSettings, open_client
from service.settings import Settings
from service.stack import EmbeddedRedis
from tests.support.api_server import as_bytes
from tests.support.compose_file import ROOT, our_services, read_compose, read_env_file
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.postgres import Cluster
from tests.support.sample_findings import full_field

GPU, CPU = ("docker-compose.yml",), ("docker-compose.yml", "docker-compose.cpu.yml")


@pytest.mark.parametrize("names", [GPU, CPU])
def test_the_compose_files_fit_their_schema(names: tuple[str, ...]) -> None:
    schema = json.loads((files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())
    jsonschema.validate(read_compose(*names), schema)


def test_the_stack_is_whole_and_orthanc_is_in_the_demo_profile_only() -> None:
    services = read_compose(*GPU)["services"]
    assert set(services) == {"redis", "postgres", "migrate", "listener", "api", "worker", "sweeper", "orthanc"}
    assert [name for name, service in services.items() if service.get("profiles")] == ["orthanc"]


def test_the_gpu_is_reserved_for_the_worker_and_the_override_takes_it_away() -> None:
    on_gpu, on_cpu = our_services(read_compose(*GPU)), our_services(read_compose(*CPU))
    assert [name for name, service in on_gpu.items() if "deploy" in service] == ["worker"]
    assert on_gpu["worker"]["environment"]["MAMMOTRIAGE_PROVIDER"] == "cuda"
    assert {service["build"]["target"] for service in on_cpu.values()} == {"cpu"}
    assert not any("deploy" in service for service in on_cpu.values())
    assert on_cpu["worker"]["environment"]["MAMMOTRIAGE_PROVIDER"] == "auto"


def test_every_variable_is_a_setting() -> None:
    known = {f"MAMMOTRIAGE_{name.upper()}" for name in Settings.model_fields}
    for service in our_services(read_compose(*GPU)).values():
        assert set(service["environment"]) <= known


def test_the_demo_wires_orthanc_both_ways(clean_environment: pytest.MonkeyPatch) -> None:
    demo = read_compose(*GPU, variables=read_env_file("compose.demo.env"))
    orthanc, worker = demo["services"]["orthanc"]["environment"], demo["services"]["worker"]["environment"]
    for name, value in worker.items():
        clean_environment.setenv(name, value)
    settings = Settings()
    (destination,) = settings.destinations
    assert (destination.host, destination.ae_title) == ("orthanc", orthanc["ORTHANC__DICOM_AET"])
    assert json.loads(orthanc["ORTHANC__DICOM_MODALITIES"])["mammotriage"] == [settings.ae_title, "listener", settings.dicom_port]
    assert settings.ae_title in demo["configs"]["orthanc-route"]["content"]


def test_the_image_holds_the_service_only_and_runs_as_nobody_special() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {path for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE) for path in line.split()[:-1]}
    allowed = {line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == allowed == {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "NOTICE", "models", "service"}
    for target in ("cpu", "gpu"):
        stage = dockerfile.split(f" AS {target}\n")[1].split("\nFROM ")[0]
        assert re.search(r"^USER [1-9]\d+$", stage, re.MULTILINE)
        assert "HEALTHCHECK" in stage
        assert f"'.[{target}]'" in dockerfile


class Processes:
    """The services of the compose file as processes of this machine."""

    def __init__(self, folder: Path, replaced: dict[str, str]) -> None:
        self.services = our_services(read_compose(*GPU))
        self.folder = folder
        self.replaced = replaced
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def environment(self, name: str) -> dict[str, str]:
        """The service's own variables and no others; addresses are those of this machine."""
        given = self.services[name]["environment"]
        ours = {key: self.replaced.get(key, value) for key, value in given.items()}
        return {key: value for key, value in os.environ.items() if not key.startswith("MAMMOTRIAGE_")} | ours

    def start(self, name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "service.cli", *self.services[name]["command"]], stdout=log, stderr=log, env=self.environment(name)
            )
        self.running[name] = process
        return process

    def is_healthy(self, name: str) -> bool:
        """Run the service's health check: that of the compose file, or else the image's."""
        check: dict[str, Any] = self.services[name].get("healthcheck", {"test": ["CMD", "mammotriage", "health", "api"]})
        kind, program, *arguments = check["test"]
        assert (kind, program) == ("CMD", "mammotriage")
        command = [sys.executable, "-m", "service.cli", *arguments]
        return subprocess.run(command, env=self.environment(name), capture_output=True, check=False).returncode == 0

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


@pytest.fixture
def processes(tmp_path: Path, postgresql: Cluster) -> Iterator[Processes]:
    broker = EmbeddedRedis(tmp_path / "redis")
    broker.start()
    with postgresql.new_database() as database_url:
        started = Processes(
            tmp_path,
            {
                "MAMMOTRIAGE_DATA_DIR": str(tmp_path / "data"),
                "MAMMOTRIAGE_DATABASE_URL": database_url,
                "MAMMOTRIAGE_REDIS_URL": broker.url,
                "MAMMOTRIAGE_DICOM_HOST": "127.0.0.1",
                "MAMMOTRIAGE_DICOM_PORT": str(free_port()),
                "MAMMOTRIAGE_HTTP_HOST": "127.0.0.1",
                "MAMMOTRIAGE_HTTP_PORT": str(free_port()),
                "MAMMOTRIAGE_PROVIDER": "auto",
            },
        )
        try:
            yield started
        finally:
            for process in started.running.values():
                if process.poll() is None:
                    process.kill()
                process.wait()
            broker.stop()


def test_the_commands_of_the_compose_file_make_a_working_stack(processes: Processes) -> None:
    assert processes.start("migrate").wait() == 0, processes.log("migrate")
    parts = [name for name in processes.services if name != "migrate"]
    for name in parts:
        processes.start(name)
    replaced = {name.removeprefix("MAMMOTRIAGE_").lower(): value for name, value in processes.replaced.items()}
    reached = DemoSettings.model_validate(replaced)
    for name in parts:
        eventually(partial(processes.is_healthy, name), 600, partial(processes.log, name))
    with open_client(reached) as client:
        client.timeout = httpx.Timeout(600)
        assert client.get("/readyz").json() == {"ready": True, "checks": {"ledger": "ok", "broker": "ok", "listener": "ok"}}
        image = full_field()
        answer = client.post("/api/v1/studies", files={"files": as_bytes(image)}, headers={"Prefer": "wait=300"})
        assert answer.status_code == 200, (answer.text, processes.log("worker")[-3000:])
        (shown,) = answer.json()["studies"][0]["instances"]
        assert shown["state"] in ("analysed", "skipped")
    for name in parts:
        processes.running[name].send_signal(signal.SIGTERM)
    # uvicorn ends in order and then as the signal says.
    assert {processes.running[name].wait() for name in parts} <= {0, -signal.SIGTERM}
