"""``python -m benchmarks.delivery``: results on their way into a real Orthanc, proved by read-back.

Printed, and written as JSON with ``--json FILE``:

* milliseconds to build an object of each kind, and to build it, send it and prove it, one after the other in one worker;
* objects built a second, and objects delivered and verified a second;
* seconds from a study's conclusion to its first and to its last verified object, in the running stack, by the ledger's own times.

Four real film mammograms a study (CBIS-DDSM, RLE, about 4600x2800, 16 bit), film opted in, so that every image is corrected.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.__main__ import renew, send, show, wait
from service.demo.run import CASES, DemoSettings, open_client, prepare_case
from service.domain.findings import DeliveryState
from service.domain.policy import CorrectionPolicy
from service.jobs.context import Context, open_context
from service.jobs.delivery import deliver_object
from service.jobs.object_building import build
from service.settings import Settings
from service.stack import Stack, free_port
from service.store.deliveries import DeliveryRow
from service.store.ledger import Ledger
from tests.support.orthanc import Orthanc, running


def measure(folder: Path, rounds: int, burst: int) -> dict[str, Any]:
    load = round(psutil.getloadavg()[0], 1)
    cases = [folder / "cases" / patient for patient in CASES.values()]
    for case, patient in CASES.items():
        prepare_case(case, patient, folder / "cases" / patient)
    with running(Orthanc(folder / "orthanc", overwrite=True)) as orthanc:
        destination = orthanc.destination(corrections=CorrectionPolicy(film=True))
        settings = DemoSettings(
            data_dir=folder / "data", dicom_port=free_port(), http_port=free_port(), analyse_film=True, study_idle_seconds=30,
            sweep_seconds=5,
            destinations=(destination,),
        )  # fmt: skip
        single, together = _through_the_stack(settings, cases, folder, rounds, burst)
        for held in orthanc.ids("studies"):
            httpx.delete(f"{orthanc.url}/studies/{held}", timeout=60).raise_for_status()
        again = settings.model_copy(update={"destinations": (destination.model_copy(update={"name": "again"}),)})
        context = open_context(again)
        version = httpx.get(f"{orthanc.url}/system", timeout=10).json()["Version"]
        worker = _one_worker(context, [*single, *together])
        ledger = context.ledger
        first, last = zip(*(_from_conclusion(ledger, study) for study in single), strict=True)
        figures = {
            "seconds_from_conclusion_to_first_verified": _median(first),
            "seconds_from_conclusion_to_last_verified": _median(last),
            **worker,
            "burst": _burst(ledger, together),
            "objects_a_study": len(_own(ledger, single[0])),
            "rounds": rounds,
            "archive": f"Orthanc {version}",
            "machine": f"{psutil.cpu_count()} cores, {platform.machine()}",
            "load_at_the_start": load,
        }
        ledger.close()
    return figures


def _through_the_stack(settings: Settings, cases: list[Path], folder: Path, rounds: int, burst: int) -> tuple[list[str], list[str]]:
    """Studies one at a time, then a burst; each until it is verified. The first, which warms up, is left out."""
    with (
        Stack(settings, log_folder=folder / "logs") as stack,
        open_client(settings) as client,
    ):
        stack.wait_until_ready()
        single = []
        for number in range(rounds + 1):
            study, paths = renew(cases[number % len(cases)], folder / "single" / str(number))
            send(paths, settings)
            wait(client, [study], "delivery", "verified")
            single.append(study)
        together = []
        for number in range(burst):
            study, paths = renew(cases[number % len(cases)], folder / "burst" / str(number))
            send(paths, settings)
            together.append(study)
        wait(client, together, "delivery", "verified")
    return single[1:], together


def _own(ledger: Ledger, study: str) -> list[DeliveryRow]:
    return ledger.deliveries.find(study_instance_uid=study, destination="pacs")


def _from_conclusion(ledger: Ledger, study: str) -> tuple[float, float]:
    """Seconds from the event that tells of the conclusion to the first and to the last verified object."""
    concluded = next(event.at for event in ledger.events.find(study_instance_uid=study) if event.kind == "study.concluded")
    ends = [(row.finished_at - concluded).total_seconds() for row in _own(ledger, study) if row.finished_at]
    return min(ends), max(ends)


def _burst(ledger: Ledger, studies: list[str]) -> dict[str, Any]:
    """Objects a second while images are analysed beside, from the first conclusion to the last proof."""
    rows = [row for study in studies for row in _own(ledger, study) if row.finished_at]
    starts = [
        next(event.at for event in ledger.events.find(study_instance_uid=study) if event.kind == "study.concluded") for study in studies
    ]
    seconds = (max(row.finished_at for row in rows if row.finished_at) - min(starts)).total_seconds()
    return {"studies": len(studies), "objects": len(rows), "objects_verified_a_second": round(len(rows) / seconds, 2)}


def _one_worker(context: Context, studies: list[str]) -> dict[str, Any]:
    """Build each object again, then deliver all of them to an archive that was emptied: no networks, no queue."""
    ledger, (destination,) = context.ledger, context.settings.destinations
    build_ms, deliver_ms = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    first = True
    for study in studies:
        for row in _own(ledger, study):
            if first:  # the first one also imports and opens
                build(context, row, destination)
                first = False
            started = time.perf_counter()
            build(context, row, destination)
            build_ms[row.kind].append(1000 * (time.perf_counter() - started))
            if row.correction_id is not None:
                continue  # who corrects what is decided by policy or a person, not planned by hand
            ledger.deliveries.plan(
                study, row.version, row.kind, row.source_sop_instance_uid, destination.name, row.object_uid, row.sop_class_uid
            )
    for row in ledger.deliveries.due():
        started = time.perf_counter()
        deliver_object(context, row.id)
        deliver_ms[row.kind].append(1000 * (time.perf_counter() - started))
        ended = ledger.deliveries.get(row.id)
        if ended is None or ended.state is not DeliveryState.VERIFIED:
            raise SystemExit(f"delivery {row.id} did not end verified: {ended and ended.error}")
    return {
        "build_ms": {kind: _median(each) for kind, each in build_ms.items()},
        "build_send_and_prove_ms": {kind: _median(each) for kind, each in deliver_ms.items()},
        "objects_built_a_second": _rate(build_ms.values()),
        "objects_delivered_a_second": _rate(deliver_ms.values()),
    }


def _rate(by_kind: Iterable[list[float]]) -> float:
    every = [each for times in by_kind for each in times]
    return round(1000 * len(every) / sum(every), 2)


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.delivery", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="studies sent one at a time, after one to warm up")
    parser.add_argument("--burst", type=int, default=4, help="studies sent at once")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mammotriage-bench-"))
    try:
        figures = measure(folder, arguments.rounds, arguments.burst)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(figures, "to Orthanc, each object read back; four film mammograms a study", arguments.json)


if __name__ == "__main__":
    main()
