"""``python -m benchmarks.hanging``: how fast the hanging API answers while the workers analyse a backlog.

Printed, and written as JSON with ``--json FILE``: milliseconds from the moment a request was due to its whole answer (p50, p90, p99,
max), at a constant rate of requests for finished studies, from two load generators in processes of their own (`benchmarks.load`):

* ``idle``: nothing else to do; ``busy``: real workers analyse real film mammograms (CBIS-DDSM, about 4600x2800, 16 bit) all the time;
* ``first``: each study asked for once (after a hundred others), so the answer is made; ``again``: studies at random, whose answer is known;
* with the workers' default niceness, and with niceness 0: what giving way brings, and what it costs in images a minute.

Everything is the running stack (listener, API, worker, sweeper, Redis, SQLite, or PostgreSQL with ``--database-url``), each part a process.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from pydicom.uid import generate_uid
from rich.console import Console
from rich.table import Table

from benchmarks.__main__ import PATIENCE_S, renew, send
from benchmarks.load import spread, summarise
from service.api.auth import issue_key
from service.demo.run import CASES, DemoSettings, prepare_case
from service.domain.access import Scope
from service.domain.findings import InstanceState, Priority
from service.domain.study_conclusion import conclude
from service.domain.study_image import StudyImage
from service.jobs.queues import Publisher
from service.settings import Settings
from service.stack import Stack, free_port
from service.store.database import now
from service.store.ledger import Ledger

AIM_P99_MS = 20.0
PHASES = ("idle", "busy", "busy_without_giving_way")
WARMING = 100
"""Studies that a fresh API is asked for before anything is measured."""
FEWEST_WAITING = 8
"""Images in the backlog below which it is filled again."""


class Backlog(threading.Thread):
    """Keeps the workers busy: as soon as few images wait, those that have ended are analysed anew."""

    def __init__(self, ledger: Ledger, publisher: Publisher, study_instance_uids: list[str]) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self.fewest = 1 << 30
        """Images that waited when fewest did."""
        self.analysed = 0
        self._ledger, self._publisher, self._study_uids = ledger, publisher, study_instance_uids

    def run(self) -> None:
        known: dict[str, datetime | None] = {}
        while not self.done.wait(0.5):
            rows = [row for uid in self._study_uids for row in self._ledger.instances.of_study(uid)]
            # Nobody else takes an answer back, so each new time of ending is one analysis.
            self.analysed += sum(row.finished_at not in (None, known.get(row.sop_instance_uid, row.finished_at)) for row in rows)
            known |= {row.sop_instance_uid: row.finished_at for row in rows if row.finished_at}
            waiting = sum(row.state is InstanceState.RECEIVED for row in rows)
            self.fewest = min(self.fewest, waiting)
            if waiting < FEWEST_WAITING:
                for row in rows:
                    if row.state is not InstanceState.RECEIVED and self._ledger.instances.reopen(row.sop_instance_uid):
                        self._publisher.analyse(row.sop_instance_uid, Priority.ROUTINE)


def fill(ledger: Ledger, like: list[str], count: int) -> list[str]:
    """Enter finished studies with the headers and answers of real ones under new UIDs."""
    models = [ledger.instances.of_study(uid) for uid in like]
    entered = []
    for number in range(count):
        study_instance_uid, series_instance_uid = str(generate_uid()), str(generate_uid())
        images = []
        for row in models[number % len(models)]:
            assert row.finding is not None
            sop_instance_uid = str(generate_uid())
            named = {
                "sop_instance_uid": sop_instance_uid,
                "study_instance_uid": study_instance_uid,
                "series_instance_uid": series_instance_uid,
            }
            header = row.header.model_copy(update=named)
            ledger.instances.add(header, uuid.uuid4().hex * 2, row.path, row.size, row.calling_ae)
            finding = row.finding.model_copy(update={"sop_instance_uid": sop_instance_uid})
            images.append(StudyImage(header, finding))
            ledger.instances.record_finding(finding)
        if ledger.record_conclusion(conclude(images, None, now()), ledger.instances.of_study(study_instance_uid)) is None:
            raise SystemExit("a finished study could not be entered")
        entered.append(study_instance_uid)
    return entered


@contextmanager
def running(settings: Settings, folder: Path) -> Iterator[Settings]:
    with Stack(settings, log_folder=folder / "logs") as stack:
        stack.wait_until_ready()
        yield stack.settings


def measure(folder: Path, finished: int, seconds: float, rate: float, database_url: str | None) -> dict[str, Any]:
    load = round(psutil.getloadavg()[0], 1)
    database: dict[str, Any] = {"database_url": database_url} if database_url else {}
    settings = DemoSettings(
        data_dir=folder / "data", dicom_port=free_port(), http_port=free_port(), analyse_film=True, study_idle_seconds=1, sweep_seconds=1,
        **database,
    )  # fmt: skip
    cases = [folder / "cases" / patient for patient in CASES.values()]
    for case, patient in CASES.items():
        prepare_case(case, patient, folder / "cases" / patient)
    with running(settings, folder):
        ledger = Ledger(settings.ledger_url)
        backlog = []
        for number in range(4):
            study_instance_uid, paths = renew(cases[number % len(cases)], folder / "sent" / str(number))
            send(paths, settings)
            backlog.append(study_instance_uid)
        _wait_until_concluded(ledger, backlog)
    secret, _ = issue_key(ledger.api_keys, f"benchmark-{uuid.uuid4().hex[:8]}", frozenset({Scope.READ}), "benchmark")
    started = time.perf_counter()
    studies = fill(ledger, backlog[:2], finished + WARMING)
    print(f"{finished} finished studies entered in {time.perf_counter() - started:.0f} s", flush=True)
    figures: dict[str, Any] = {}
    default = settings.worker_nice
    for name in PHASES:
        # A fresh API each time: it knows no study yet.
        each = settings.model_copy(update={"worker_nice": 0 if name == "busy_without_giving_way" else default})
        each.model_fields_set.add("worker_nice")
        with running(each, folder) as served:
            feeder = Backlog(ledger, Publisher(served.redis_url), backlog)
            if name != "idle":
                feeder.start()
                _wait_until_busy(feeder)
            analysed_before, started = feeder.analysed, time.perf_counter()
            figures[name] = _ask(settings.http_port, studies, secret, seconds, rate)
            took_s = time.perf_counter() - started
            if name != "idle":
                figures[name]["images_analysed_a_minute"] = round(60 * (feeder.analysed - analysed_before) / took_s, 1)
                figures[name]["fewest_images_waiting"] = feeder.fewest
            feeder.done.set()
            if feeder.is_alive():
                feeder.join()
        print(name, figures[name], flush=True)
    ledger.close()
    return {
        **figures,
        "requests_a_second": rate,
        "finished_studies": finished,
        "worker_nice": default,
        "aim_p99_ms": AIM_P99_MS,
        "aim_reached": max(figures["busy"][kind]["p99_ms"] for kind in ("first", "again")) <= AIM_P99_MS,
        "database": "PostgreSQL" if database_url else "SQLite",
        "machine": f"{psutil.cpu_count()} cores, {platform.machine()}",
        "load_at_the_start": load,
    }


def _ask(port: int, studies: list[str], secret: str, seconds: float, rate: float) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {secret}"}
    # An API runs for weeks: what its first second costs is not what is measured.
    warming, studies = studies[:WARMING], studies[WARMING:]
    spread(port, [f"/api/v1/studies/{uid}/hanging" for uid in warming], headers, rate)
    chosen = random.Random(5).choices(studies, k=round(rate * seconds))
    found = {}
    for kind, uids in (("first", studies), ("again", chosen)):
        times = spread(port, [f"/api/v1/studies/{uid}/hanging" for uid in uids], headers, rate)
        if set(times.statuses) != {"200"}:
            raise SystemExit(f"not every answer was final: {times.statuses}")
        found[kind] = summarise(times)
    return found


def _wait_until_concluded(ledger: Ledger, study_instance_uids: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not all(ledger.study_progress.of_studies(study_instance_uids)[uid].settled for uid in study_instance_uids):
        if time.monotonic() > deadline:
            raise SystemExit("the studies to copy were never concluded")
        time.sleep(0.2)


def _wait_until_busy(feeder: Backlog) -> None:
    """Until the workers have loaded their networks and analysed an image or two."""
    deadline = time.monotonic() + PATIENCE_S
    while feeder.analysed < 2:
        if time.monotonic() > deadline:
            raise SystemExit("the workers never began")
        time.sleep(0.2)
    feeder.fewest = 1 << 30


def show(figures: dict[str, Any]) -> None:
    table = Table("workers", "studies", "p50 ms", "p90 ms", "p99 ms", "max ms", "images a minute")
    for phase in PHASES:
        for kind in ("first", "again"):
            shown = [str(figures[phase][kind][f"{each}_ms"]) for each in ("p50", "p90", "p99", "max")]
            table.add_row(phase.replace("_", " "), kind, *shown, str(figures[phase].get("images_analysed_a_minute", "")))
    console = Console()
    console.print(table)
    console.print({name: value for name, value in figures.items() if name not in PHASES})


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hanging", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=1000, help="finished studies in the ledger")
    parser.add_argument("--seconds", type=float, default=60, help="of asking for studies that were asked for before")
    parser.add_argument("--rate", type=float, default=100, help="requests a second")
    parser.add_argument("--database-url", help="an empty PostgreSQL database instead of SQLite")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mammotriage-bench-"))
    try:
        figures = measure(folder, arguments.studies, arguments.seconds, arguments.rate, arguments.database_url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
