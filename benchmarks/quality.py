"""``python -m benchmarks.quality``: how long the quality figures take over a ledger of 400,000 images, on SQLite and on PostgreSQL.

Printed, and written as JSON with ``--json FILE``: median and worst milliseconds of ``GET /api/v1/quality`` over real HTTP, for a quarter
against the quarter before (what the page asks first) and for the whole year against itself (every image is read twice), by each group,
after a first request that is reported by itself; and the processor time of API and database, which the machine's other work lengthens less.
Rows are as long as real ones: headers and answers as JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import insert, text

from models.vocabulary import Laterality, View
from service.domain.feedback import FeedbackLabel
from service.domain.findings import (
    Agreement,
    ImageFinding,
    InstanceHeader,
    InstanceState,
    Label,
    ModelIdentity,
    Priority,
    Reason,
    TriageFlag,
)
from service.store.database import open_engine
from service.store.derived_columns import finding_columns, instance_columns
from service.store.migrate import migrate
from service.store.quality import GroupBy
from service.store.study_order import triage_columns
from service.store.study_rows import StudyState
from service.store.tables import feedback, instances, studies
from tests.support.api_server import serve_api
from tests.support.postgres import find_binaries, find_owner, run_cluster

DAYS, STEP = 365, 20_000
MACHINES = [
    (f"MAMMO{number:02d}", maker, model, f"{version}.{number % 3}.1")
    for number, (maker, model, version) in enumerate(
        [("Acme", "One", 2), ("Acme", "Two", 5), ("Beta Medical", "Senograph", 11), ("Gamma", "Inspire", 7)] * 3
    )
]
MODELS = tuple(
    ModelIdentity(name=f"mammotriage-{task}", version="1.0.0", sha256="a" * 64, task=task, calibration="platt")
    for task in ("labeler", "cancer")
)


def seed(database_url: str, images: int, last_day: datetime) -> None:
    """Fill an empty ledger with a year of four-view studies, and an opinion on every two-hundredth image."""
    migrate(database_url)
    engine, chance = open_engine(database_url), random.Random(5)
    rows = _rows(images, last_day, chance)
    with engine.connect().execution_options(writes=True) as connection:
        done = 0
        while done < images:
            count = min(STEP, images - done)
            entered = [next(rows) for _ in range(count)]
            with connection.begin():
                opened = {row["study_instance_uid"]: row for row in entered}
                connection.execute(insert(studies), [_study(uid, row) for uid, row in opened.items()])
                connection.execute(insert(instances), entered)
                connection.execute(insert(feedback), [_opinion(row, chance) for row in entered[::200] if row["state"] == "analysed"])
            done += count
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("VACUUM (ANALYZE)"))
        else:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    engine.dispose()


def _rows(images: int, last_day: datetime, chance: random.Random) -> Iterator[dict[str, Any]]:
    for number in range(images):
        study, shot = divmod(number, 4)
        uid, study_instance_uid = f"2.25.{10**30 + number}", f"2.25.{10**30 + study}.1"
        station, maker, model, software = MACHINES[study % len(MACHINES)]
        at = last_day - timedelta(days=DAYS * (1 - number / images)) + timedelta(hours=chance.random())
        header = InstanceHeader(
            sop_instance_uid=uid, sop_class_uid="1.2.840.10008.5.1.4.1.1.1.2", study_instance_uid=study_instance_uid,
            series_instance_uid=f"{study_instance_uid}.{shot}", transfer_syntax_uid="1.2.840.10008.1.2.1",
            modality="MG", station_name=station,
            manufacturer=maker, model_name=model, software_versions=software, view=View.CC, laterality=Laterality.R, rows=4096,
            columns=3328,
        )  # fmt: skip
        finding = _finding(uid, number, chance)
        differs = chance.choices(list(Agreement), (90, 4, 2, 4))[0] if finding.state is InstanceState.ANALYSED else None
        yield {
            "sop_instance_uid": uid, "study_instance_uid": study_instance_uid, "header": header.model_dump_json(),
            "sha256": "0" * 64, "path": f"instances/{uid}.dcm",
            "size": 27_000_000, "calling_ae": "MODALITY", "priority": Priority.ROUTINE, "state": finding.state,
            "finding": finding.model_dump_json(), "tries": 1, "received_at": at, "last_attempt_at": at, "finished_at": at,
            "agreement": differs, **instance_columns(header), **finding_columns(finding),
        }  # fmt: skip


def _finding(uid: str, number: int, chance: random.Random) -> ImageFinding:
    if chance.random() < 0.03:
        reason = Reason(code=chance.choice(["magnification", "implant", "undecodable"]), text="a reason as long as reasons are")
        return ImageFinding(sop_instance_uid=uid, state=InstanceState.SKIPPED, reason=reason)

    def label(*values: str) -> Label:
        value = chance.choice(values)
        return Label(value=value, confidence=0.9, probabilities=dict.fromkeys(values, round(1 / len(values), 6)))

    return ImageFinding(
        sop_instance_uid=uid, state=InstanceState.ANALYSED, view=label("CC", "MLO"), laterality=label("R", "L"),
        density=label("A", "B", "C", "D"), cancer_score=round(chance.betavariate(1.2, 9), 6), models=MODELS,
        outline=tuple((chance.random() * 4096, chance.random() * 3328) for _ in range(12)), provider="CPUExecutionProvider",
    )  # fmt: skip


def _study(uid: str, row: dict[str, Any]) -> dict[str, Any]:
    at = row["received_at"]
    return {
        "study_instance_uid": uid, "state": StudyState.CONCLUDED, "priority": Priority.ROUTINE,
        "first_received_at": at, "last_received_at": at,
        "updated_at": at, "needs_conclusion": False, "instance_count": 4, "finished_count": 4, "version": 1, "flag": TriageFlag.ROUTINE,
        "density": "B", **triage_columns(TriageFlag.ROUTINE, 0.1),
    }  # fmt: skip


def _opinion(row: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    label, wrong = chance.choice([FeedbackLabel.DENSITY, FeedbackLabel.VIEW]), chance.random() < 0.1
    said, right = ("B", "C") if label is FeedbackLabel.DENSITY else ("CC", "MLO")
    return {
        "at": row["finished_at"], "study_instance_uid": row["study_instance_uid"], "sop_instance_uid": row["sop_instance_uid"],
        "label": label,
        "verdict": "wrong" if wrong else "agree", "predicted_value": said, "corrected_value": right if wrong else "", "note": "",
        "actor": "reader", "model": "mammotriage-labeler 1.0.0",
    }  # fmt: skip


def measure(database_url: str, folder: Path, images: int, rounds: int) -> dict[str, Any]:
    """Seed a database, serve it, and ask."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begun = time.perf_counter()
    seed(database_url, images, today)
    seeding = time.perf_counter() - begun
    year = {"from": (today - timedelta(days=DAYS)).date().isoformat(), "to": today.date().isoformat()}
    questions: dict[str, dict[str, str]] = {"quarter": {}}
    whole = {**year, "reference_from": year["from"], "reference_to": year["to"]}
    questions |= {f"year by {by}": {**whole, "by": by, "bucket": "week"} for by in GroupBy}
    questions["year by day"] = {**whole, "bucket": "day"}
    figures: dict[str, Any] = {"images": images, "seeding_s": round(seeding, 1), "milliseconds": {}}
    with serve_api(folder, database_url=database_url) as served:
        served.client.timeout = 120
        for name, parameters in questions.items():
            spent, used = [], processor_ms()
            for _ in range(rounds + 1):
                begun = time.perf_counter()
                response = served.client.get("/api/v1/quality", params=parameters)
                spent.append(1000 * (time.perf_counter() - begun))
                response.raise_for_status()
            first, *others = spent
            figures["milliseconds"][name] = {
                "first": round(first), "median": round(statistics.median(others)), "worst": round(max(others)),
                "processor": round((processor_ms() - used) / (rounds + 1)),
                "images": response.json()["total"]["images"], "bytes": len(response.content),
            }  # fmt: skip
            print(name, figures["milliseconds"][name], flush=True)
    return figures


def processor_ms() -> float:
    """Processor time of this process, which serves and asks, and of all that it started: the database's server."""
    total = 0.0
    for each in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            used = each.cpu_times()
            total += used.user + used.system
    return 1000 * total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--folder", type=Path, help="where the databases are made for a while [default: the system's temporary folder]")
    arguments = parser.parse_args()
    machine = f"{psutil.cpu_count()} cores, {platform.machine()}"
    figures: dict[str, Any] = {"machine": machine, "load_at_the_start": round(psutil.getloadavg()[0], 1)}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=arguments.folder)))
        figures["sqlite"] = measure(f"sqlite:///{folder / 'ledger.sqlite'}", folder / "sqlite", arguments.images, arguments.rounds)
        binaries, owner = find_binaries(), find_owner()
        if binaries and owner:
            cluster = stack.enter_context(run_cluster(binaries, owner))
            url = stack.enter_context(cluster.new_database())
            figures["postgresql"] = measure(url, folder / "postgresql", arguments.images, arguments.rounds)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
