"""``python -m benchmarks.operations``: how long the operations page waits for its answers over a ledger of 100,000 studies.

Printed, and written as JSON with ``--json FILE``: median and worst milliseconds of each question over real HTTP, on SQLite and on
PostgreSQL. The ledger holds 400,000 images and deliveries (as `benchmarks.worklist` makes them) and a look each minute for 30 days.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import insert, update

from benchmarks.worklist import seed
from service.domain.findings import InstanceState
from service.store.database import open_engine
from service.store.tables import deliveries, instances, metric_samples
from tests.support.api_server import serve_api
from tests.support.postgres import find_binaries, find_owner, run_cluster

QUESTIONS = {
    "overview of a day": "operations?hours=24",
    "overview of 30 days": "operations?hours=720",
    "failed images": "instances?state=failed",
    "images not analysed": "instances?state=skipped",
    "troubled deliveries": "deliveries/troubled",
    "waiting corrections": "corrections?state=proposed",
}
NAMES = ("queued.urgent", "queued.routine", "queued.background", "disk-free-bytes", "images-waiting", "deliveries-in-progress")


def finish(database_url: str) -> None:
    """Give images and deliveries the ends that the worklist does not ask about: when, and why some have no labels."""
    engine = open_engine(database_url)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection.execute(update(instances).values(finished_at=instances.c.received_at))
        connection.execute(update(deliveries).values(finished_at=deliveries.c.created_at))
        for last, state, code in (("0.0", InstanceState.SKIPPED, "tomosynthesis"), ("00.1", InstanceState.FAILED, "unparsable")):
            some = update(instances).where(instances.c.sop_instance_uid.endswith(last))
            connection.execute(some.values(state=state, reason_code=code))
    engine.dispose()


def sample(database_url: str, until: datetime, days: int = 30) -> None:
    """Enter what a sweeper would have seen each minute."""
    engine = open_engine(database_url)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        for day in range(days):
            minutes = [until - timedelta(days=day, minutes=minute) for minute in range(24 * 60)]
            connection.execute(insert(metric_samples), [{"name": name, "at": at, "value": 7.0} for at in minutes for name in NAMES])
    engine.dispose()


def measure(database_url: str, folder: Path, studies: int, rounds: int) -> dict[str, Any]:
    """Seed a database, serve it, and ask."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    seed(database_url, studies, now)
    finish(database_url)
    sample(database_url, now)
    figures: dict[str, Any] = {}
    with serve_api(folder, database_url=database_url) as served:
        served.client.timeout = 120
        for name, path in QUESTIONS.items():
            spent = []
            for _ in range(rounds + 1):
                begun = time.perf_counter()
                response = served.client.get(f"/api/v1/{path}")
                spent.append(1000 * (time.perf_counter() - begun))
                response.raise_for_status()
            first, *others = (round(each, 1) for each in spent)
            figures[name] = {"first": first, "median": statistics.median(others), "worst": max(others), "bytes": len(response.content)}
            print(name, figures[name], flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file to write")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {
        "machine": f"{psutil.cpu_count()} cores, {platform.machine()}",
        "load_at_the_start": round(psutil.getloadavg()[0], 1),
        "studies": arguments.studies,
        "milliseconds": {},
    }
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        databases = {"sqlite": f"sqlite:///{folder / 'ledger.sqlite'}"}
        binaries, owner = find_binaries(), find_owner()
        if binaries and owner:
            cluster = stack.enter_context(run_cluster(binaries, owner))
            databases["postgresql"] = stack.enter_context(cluster.new_database())
        for name, url in databases.items():
            print(name, flush=True)
            figures["milliseconds"][name] = measure(url, folder / name, arguments.studies, arguments.rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
