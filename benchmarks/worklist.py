"""``python -m benchmarks.worklist``: how long a page of the worklist takes with 100,000 studies in the ledger, on SQLite and on PostgreSQL.

Printed, and written as JSON with ``--json FILE``, for each question over real HTTP to an API in a process of its own: median and worst
milliseconds, and the processor time of API and database, which the machine's other work does not lengthen. Asked are the first page in
both orders, with each filter and with several, searches that find many, few and none, and a page in the middle. Each study has its
patient, four images and four deliveries; the ledger is as large as it would be.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import insert, text

from benchmarks.__main__ import show
from models.vocabulary import Density
from service.api.auth import issue_key
from service.domain.access import Scope
from service.domain.findings import Agreement, DeliveryState, InstanceHeader, InstanceState, ObjectKind, Priority, TriageFlag
from service.domain.patient import Patient
from service.settings import Settings
from service.stack import as_environment, free_port
from service.store.database import open_engine
from service.store.derived_columns import instance_columns, study_columns
from service.store.ledger import Ledger
from service.store.migrate import migrate
from service.store.study_order import triage_columns
from service.store.study_rows import StudyState
from service.store.tables import deliveries, instances, studies, study_holds
from tests.support.postgres import find_binaries, find_owner, run_cluster

PAGE, STEP, DAYS = 100, 5000, 365
FAMILIES = ("Smith", "Jones", "Garcia", "Müller", "Nguyen", "Kowalska", "Rossi", "Silva", "Okafor", "Yamada", "Larsen", "Novak")
GIVEN = ("Anna", "Berta", "Carla", "Dora", "Emma", "Fatima", "Grace", "Hanna", "Ines", "Julia", "Kim", "Lea")
RARE = "Zwetschgenbaum^Quitterie"


def seed(database_url: str, count: int, last: datetime) -> str:
    """Fill an empty ledger; returns the UID of one study in the middle."""
    migrate(database_url)
    engine, chance = open_engine(database_url), random.Random(11)
    for start in range(0, count, STEP):
        made = [_study(number, count, last, chance) for number in range(start, min(count, start + STEP))]
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            connection.execute(insert(studies), made)
            connection.execute(insert(instances), [row for study in made for row in _images(study)])
            connection.execute(insert(deliveries), [row for study in made for row in _deliveries(study, chance)])
            held = [
                {"study_instance_uid": study["study_instance_uid"], "reason": "sides-swapped", "since": last}
                for study in made
                if chance.random() < 0.001
            ]
            if held:
                connection.execute(insert(study_holds), held)
    # What the database's own housekeeping does in a running system.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if connection.dialect.name == "postgresql" else "PRAGMA wal_checkpoint(TRUNCATE)"))
    engine.dispose()
    return _uid(count // 2)


def _uid(number: int) -> str:
    return f"2.25.{10**30 + number * 7919}"


def _study(number: int, count: int, last: datetime, chance: random.Random) -> dict[str, Any]:
    at = last - timedelta(days=DAYS * (1 - number / count))
    waiting = number > count - 50
    score = None if waiting or chance.random() < 0.02 else round(chance.betavariate(1.2, 9), 6)
    flag = TriageFlag.NOT_SCORED if score is None else TriageFlag.SUSPICIOUS if score > 0.35 else TriageFlag.ROUTINE
    density = Density.UNKNOWN if waiting else chance.choices(list(Density), (8, 38, 38, 12, 4))[0]
    state = StudyState.PARTIAL if chance.random() < 0.1 else StudyState.CONCLUDED
    name = RARE if number == count // 3 else f"{chance.choice(FAMILIES)}^{chance.choice(GIVEN)}"
    patient = Patient(patient_id=f"P{chance.randrange(count):07d}", name=name, birth_date="19600101", sex="F", age_years=40 + number % 40)
    header = InstanceHeader(
        sop_instance_uid="1.2", sop_class_uid="1.2.840.10008.5.1.4.1.1.1.2", study_instance_uid=_uid(number), series_instance_uid="1.3",
        transfer_syntax_uid="1.2.840.10008.1.2.1", modality="MG", study_date=f"{at:%Y%m%d}", accession_number=f"A{number:08d}",
        institution="General FullStack", station_name=f"MAMMO-{number % 12:02d}", manufacturer="Acme",
    )  # fmt: skip
    return {
        "study_instance_uid": _uid(number), "state": StudyState.RECEIVING if waiting else state,
        "priority": Priority.URGENT if chance.random() < 0.01 else Priority.ROUTINE, "first_received_at": at, "last_received_at": at,
        "updated_at": at, "needs_conclusion": waiting, "instance_count": 4, "finished_count": 0 if waiting else 4,
        "version": 0 if waiting else 1,
        "flag": flag, "score": score, "density": density, **triage_columns(flag, score), **study_columns(header, patient),
        "agreement": None if waiting else chance.choices(list(Agreement), (90, 4, 2, 4))[0], "score_right": score, "score_left": score,
        "density_right": density, "density_left": density, "concluded_at": None if waiting else at,
    }  # fmt: skip


def _images(study: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for shot in range(4):
        uid = f"{study['study_instance_uid']}.{shot}"
        header = InstanceHeader(
            sop_instance_uid=uid, sop_class_uid="1.2.840.10008.5.1.4.1.1.1.2", study_instance_uid=study["study_instance_uid"],
            series_instance_uid=f"{uid}.1", transfer_syntax_uid="1.2.840.10008.1.2.1", modality="MG",
        )  # fmt: skip
        yield {
            "sop_instance_uid": uid, "study_instance_uid": study["study_instance_uid"], "header": header.model_dump_json(),
            "sha256": "0" * 64, "size": 27_000_000,
            "path": f"instances/{uid}.dcm", "calling_ae": "MODALITY", "priority": study["priority"], "state": InstanceState.ANALYSED,
            "tries": 1, "received_at": study["updated_at"], "last_attempt_at": study["updated_at"], **instance_columns(header),
        }  # fmt: skip


def _deliveries(study: dict[str, Any], chance: random.Random) -> Iterator[dict[str, Any]]:
    if study["version"] == 0:
        return
    for number, kind in enumerate((ObjectKind.CAD, ObjectKind.REPORT, ObjectKind.HEATMAP, ObjectKind.CORRECTED)):
        yield {
            "study_instance_uid": study["study_instance_uid"], "version": 1, "kind": kind, "destination": "pacs",
            "object_uid": f"{study['study_instance_uid']}.9.{number}",
            "state": DeliveryState.FAILED if chance.random() < 0.002 else DeliveryState.VERIFIED, "tries": 1,
            "created_at": study["updated_at"], "next_try_at": study["updated_at"],
        }  # fmt: skip


def questions(middle: str, last: datetime) -> dict[str, dict[str, Any]]:
    """By name, what a reader asks for."""
    week = {"since": (last - timedelta(days=7)).isoformat(), "until": last.isoformat()}
    asked: dict[str, dict[str, Any]] = {
        "first page": {},
        "suspicious": {"flag": "suspicious"},
        "header contradicts": {"agreement": "contradict"},
        "density D": {"density": "D"},
        "one station": {"station": "MAMMO-03"},
        "still receiving": {"state": "receiving"},
        "partial": {"state": "partial"},
        "urgent": {"priority": "urgent"},
        "held": {"held": True},
        "not held": {"held": False},
        "a study date": {"study_date": f"{last - timedelta(days=200):%Y-%m-%d}"},
        "last week": week,
        "suspicious, D, one station, contradicts": {"flag": "suspicious", "density": "D", "station": "MAMMO-03", "agreement": "contradict"},
        "nothing fits": {"state": "receiving", "flag": "suspicious"},
        "search: a common name": {"text": "smith"},
        "search: a rare name": {"text": "zwetsch"},
        "search: an accession number": {"text": "A00012345"},
        "search: a UID": {"text": middle},
        "search: nobody": {"text": "nobody at all"},
        "search: a rare name among suspicious ones": {"text": "kowalska hanna", "flag": "suspicious"},
    }
    return {f"{name} ({order})": {**query, "order": order} for name, query in asked.items() for order in ("triage", "received")}


def ask(client: httpx.Client, query: dict[str, Any], rounds: int) -> tuple[list[float], int, str | None]:
    """Milliseconds of each round after a first one, how many studies came, and the next page's cursor."""
    taken: list[float] = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        answer = client.post("/api/v1/studies/search", json={"limit": PAGE, **query})
        taken.append(1000 * (time.perf_counter() - start))
        answer.raise_for_status()
    page = answer.json()
    return taken[1:], len(page["studies"]), page["next_cursor"]


def measure(database_url: str, folder: Path, count: int, rounds: int, last: datetime) -> dict[str, Any]:
    """Seed, serve and ask; milliseconds by question."""
    middle = seed(database_url, count, last)
    settings = Settings(data_dir=folder, database_url=database_url, http_port=free_port(), disk_free_min_bytes=0)
    ledger = Ledger(database_url)
    secret, _ = issue_key(ledger.api_keys, "benchmark", frozenset({Scope.READ}), "benchmark")
    ledger.close()
    with serving(settings), httpx.Client(base_url=settings.public_api_url, timeout=60, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        wait_for(client)
        results: dict[str, Any] = {}

        def note(name: str, query: dict[str, Any]) -> str | None:
            before = spent_ms()
            taken, found, cursor = ask(client, query, rounds)
            results[name] = {
                "median_ms": round(statistics.median(taken), 1), "worst_ms": round(max(taken), 1),
                "processor_ms": round((spent_ms() - before) / (rounds + 1), 1), "studies": found,
            }  # fmt: skip
            return cursor

        for name, query in questions(middle, last).items():
            note(name, query)
        for order in ("triage", "received"):
            cursor = None
            for _ in range(count // 2 // 500):
                page = client.post("/api/v1/studies/search", json={"order": order, "limit": 500, "cursor": cursor}).json()
                cursor = page["next_cursor"]
            note(f"a page in the middle ({order})", {"order": order, "cursor": cursor})
        taken = []
        for _ in range(rounds):
            start = time.perf_counter()
            client.get("/api/v1/stations").raise_for_status()
            taken.append(1000 * (time.perf_counter() - start))
        results["names of the stations"] = {"median_ms": round(statistics.median(taken), 1), "worst_ms": round(max(taken), 1)}
    slowest = max(results, key=lambda name: results[name]["worst_ms"])
    return {
        "first_page_triage_ms": results["first page (triage)"]["median_ms"],
        "worst_ms": results[slowest]["worst_ms"],
        "worst_question": slowest,
        "worst_median_ms": max(result["median_ms"] for result in results.values()),
        "worst_processor_ms": max(result.get("processor_ms", 0) for result in results.values()),
        "questions": results,
    }


def spent_ms() -> float:
    """Processor time of API and database so far, which a busy machine does not lengthen as it does the time on the clock."""
    total = 0.0
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            used = each.cpu_times()
            total += used.user + used.system
    return 1000 * total


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[None]:
    """The API as a process of its own, as ``mammotriage serve`` starts it."""
    process = subprocess.Popen([sys.executable, "-m", "service.cli", "api"], env=_environment(settings), stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _environment(settings: Settings) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("MAMMOTRIAGE_")} | as_environment(settings)


def wait_for(client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if client.get("/healthz").is_success:
                return
        time.sleep(0.1)
    raise SystemExit("the API does not answer")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worklist", description=__doc__)
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15, help="times that each question is asked, after one that is not counted")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    last = datetime.now(UTC)
    figures: dict[str, Any] = {"studies": arguments.studies, "studies_a_page": PAGE, "rounds": arguments.rounds}
    figures["machine"] = f"{psutil.cpu_count()} cores, {platform.machine()}"
    figures["load_at_the_start"] = round(psutil.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory(prefix="mammotriage-bench-") as folder, ExitStack() as stack:
        places = {"sqlite": f"sqlite:///{folder}/ledger.sqlite"}
        binaries, owner = find_binaries(), find_owner()
        if binaries and owner:
            places["postgresql"] = stack.enter_context(stack.enter_context(run_cluster(binaries, owner)).new_database())
        for name, url in places.items():
            data = Path(folder) / name
            data.mkdir()
            figures[name] = measure(url, data, arguments.studies, arguments.rounds, last)
    for name in places:
        found = figures[name]
        show(
            {each: f"{one['median_ms']} ({one['worst_ms']}; {one.get('processor_ms', '')})" for each, one in found["questions"].items()},
            f"{name}: ms for a page of {PAGE} out of {arguments.studies} studies: median (worst; processor)",
            None,
        )
        print(f"{name}: worst of all {found['worst_ms']} ms ({found['worst_question']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
