"""``python -m benchmarks``: the whole way measured on this machine, against a small receiving PACS that answers read-backs.

Printed, and written as JSON with ``--json FILE``: seconds from the last C-STORE of a four-view study to its conclusion and to its
verified write-back; studies a minute with all of them sent at once; peak memory of every process of the stack. Then, unless
``--skip-training`` is given, images a second in training (`benchmarks.training`), written with ``--training-json FILE``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import psutil
import pydicom
from pydicom.uid import generate_uid
from rich.console import Console
from rich.table import Table

from service.demo.run import CASES, DemoSettings, open_client, prepare_case
from service.demo.small_pacs import SmallPacs
from service.destinations import Destination
from service.domain.policy import CorrectionPolicy
from service.settings import Settings
from service.stack import Stack, free_port
from service.storage_scu import Peer, send_files

PATIENCE_S = 600.0


class MemoryWatch(threading.Thread):
    """Samples the resident memory of every process of the stack, by part."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self.stack, self.peak, self.done = stack, defaultdict[str, int](int), threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.1):
            total = 0
            for part in list(self.stack.parts.values()):
                try:
                    process = psutil.Process(part.process.pid)
                    used = sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))
                except psutil.Error:
                    continue
                self.peak[part.name] = max(self.peak[part.name], used)
                total += used
            self.peak["all"] = max(self.peak["all"], total)


def renew(folder: Path, target: Path) -> tuple[str, list[Path]]:
    """Copy a study under new UIDs, so that the service sees it for the first time."""
    study, paths = str(generate_uid()), []
    target.mkdir(parents=True)
    for path in sorted(folder.glob("*.dcm")):
        dataset = pydicom.dcmread(path)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = study, generate_uid(), generate_uid()
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        paths.append(target / path.name)
        dataset.save_as(paths[-1])
    return study, paths


def send(paths: list[Path], settings: Settings) -> None:
    peer = Peer(settings.dicom_host, settings.dicom_port, settings.ae_title)
    if refused := [sent.error for sent in send_files(paths, peer) if sent.error]:
        raise SystemExit(f"the listener refused: {refused[0]}")


def wait(client: httpx.Client, studies: list[str], field: str, wanted: str) -> dict[str, float]:
    """Seconds on the clock when each study's `field` became `wanted`."""
    reached: dict[str, float] = {}
    deadline = time.perf_counter() + PATIENCE_S
    while len(reached) < len(studies):
        for uid in studies:
            if uid not in reached:
                answer = client.get(f"/api/v1/studies/{uid}")
                if answer.status_code == httpx.codes.OK and answer.json()[field] == wanted:
                    reached[uid] = time.perf_counter()
        if time.perf_counter() > deadline:
            raise SystemExit(f"{len(studies) - len(reached)} studies never came to {field} {wanted}")
        time.sleep(0.02)
    return reached


def measure(folder: Path, rounds: int, burst: int) -> dict[str, Any]:
    cases = [folder / "cases" / patient for patient in CASES.values()]
    for case, patient in CASES.items():
        prepare_case(case, patient, folder / "cases" / patient)
    film = CorrectionPolicy(film=True)
    destination = Destination(name="pacs", ae_title="BENCHPACS", host="127.0.0.1", port=free_port(), corrections=film)
    pacs = SmallPacs(folder / "pacs", destination.ae_title, destination.port)
    settings = DemoSettings(
        data_dir=folder / "data",
        dicom_port=free_port(),
        http_port=free_port(),
        analyse_film=True,
        study_idle_seconds=30,
        sweep_seconds=5,
        destinations=(destination,),
    )
    pacs.start()
    try:
        with (
            Stack(settings, log_folder=folder / "logs") as stack,
            open_client(settings) as client,
        ):
            stack.wait_until_ready()
            watch = MemoryWatch(stack)
            watch.start()
            concluded, verified = [], []
            for number in range(rounds + 1):
                study, paths = renew(cases[number % len(cases)], folder / "single" / str(number))
                send(paths, settings)
                start = time.perf_counter()
                concluded.append(wait(client, [study], "state", "concluded")[study] - start)
                verified.append(wait(client, [study], "delivery", "verified")[study] - start)
            start = time.perf_counter()
            studies = []
            for number in range(burst):
                study, paths = renew(cases[number % len(cases)], folder / "burst" / str(number))
                studies.append(study)
                send(paths, settings)
            last = max(wait(client, studies, "delivery", "verified").values())
            watch.done.set()
            provider = client.get(f"/api/v1/studies/{studies[0]}").json().get("models", [])
    finally:
        pacs.stop()
    return {
        "cold_seconds_to_conclusion": round(concluded[0], 2),
        "seconds_to_conclusion": round(statistics.median(concluded[1:]), 2),
        "seconds_to_verified_write_back": round(statistics.median(verified[1:]), 2),
        "studies_a_minute": round(burst / (last - start) * 60, 1),
        "peak_memory_mib": {name: used >> 20 for name, used in watch.peak.items()},
        "rounds": rounds,
        "burst": burst,
        "cores": psutil.cpu_count(),
        "models": [f"{model['name']} {model['version']}" for model in provider],
    }


def show(figures: dict[str, Any], title: str, path: Path | None) -> None:
    """Print a table of figures, and write them as JSON where a path is given."""
    table = Table("figure", "value", title=title)
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value))
    Console().print(table)
    if path:
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="studies sent one at a time, after one to warm up")
    parser.add_argument("--burst", type=int, default=8, help="studies sent at once")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--skip-training", action="store_true", help="measure the service alone")
    parser.add_argument("--training-json", type=Path, help="also write the figures of training to this file")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mammotriage-bench-"))
    try:
        figures = measure(folder, arguments.rounds, arguments.burst)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(figures, "four CBIS-DDSM images a study, RLE, about 4600x2800, 16 bit", arguments.json)
    if not arguments.skip_training:
        # In a process of its own: torch must not sit in the memory of the one that measures the service.
        written = ["--json", str(arguments.training_json)] if arguments.training_json else []
        subprocess.run([sys.executable, "-m", "benchmarks.training", *written], check=True)


if __name__ == "__main__":
    main()
