"""``python -m benchmarks.frames``: how long a reader waits for the pictures of a study, and how much goes over the wire.

Printed, and written as JSON with ``--json FILE``: the two four-view CBIS-DDSM cases are received by an API in a process of its own;
each one's four frames are then asked for at once, as the study page does: for the first time (decoded from RLE), again (from the disk),
again by ETag, and in full. Median and worst over cases and rounds of the milliseconds until the last frame is there, and MB of four.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pydicom

from benchmarks.__main__ import show
from benchmarks.worklist import serving, wait_for
from service.api.auth import issue_key
from service.demo.run import CASES, prepare_case
from service.domain.access import Scope
from service.settings import Settings
from service.stack import free_port
from service.store.ledger import Ledger
from service.store.migrate import migrate


def receive(client: httpx.Client, folder: Path) -> list[list[str]]:
    """Upload both cases; SOP Instance UIDs by case."""
    cases = []
    for case, patient in CASES.items():
        prepare_case(case, patient, folder / patient)
        paths = sorted((folder / patient).glob("*.dcm"))
        client.post("/api/v1/studies", files=[("files", (path.name, path.read_bytes())) for path in paths]).raise_for_status()
        cases.append([str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in paths])
    return cases


def fetch(client: httpx.Client, uids: list[str], longest: str, tags: dict[str, str]) -> tuple[float, float, dict[str, str]]:
    """Ask for a study's frames at once: milliseconds until the last is there, MB on the wire, ETags by UID."""

    def one(uid: str) -> tuple[str, int]:
        known = {"If-None-Match": tags[uid]} if uid in tags else {}
        with client.stream("GET", f"/api/v1/instances/{uid}/pixels", params={"longest": longest}, headers=known) as answer:
            size = sum(len(part) for part in answer.iter_raw())
            assert answer.status_code == (304 if known else 200)
            return answer.headers["ETag"], size

    start = time.perf_counter()
    with ThreadPoolExecutor(len(uids)) as readers:
        answers = list(readers.map(one, uids))
    taken_ms = 1000 * (time.perf_counter() - start)
    return taken_ms, sum(size for _, size in answers) / 1e6, {uid: tag for uid, (tag, _) in zip(uids, answers, strict=True)}


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """Serve, receive and ask."""
    settings = Settings(data_dir=folder / "data", http_port=free_port(), disk_free_min_bytes=0)
    migrate(settings.ledger_url)
    ledger = Ledger(settings.ledger_url)
    secret, _ = issue_key(ledger.api_keys, "benchmark", frozenset({Scope.READ, Scope.UPLOAD}), "benchmark")
    ledger.close()
    taken: dict[str, list[float]] = {}
    size: dict[str, list[float]] = {}
    with serving(settings), httpx.Client(base_url=settings.public_api_url, timeout=120, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        wait_for(client)
        cases = receive(client, folder / "sent")
        for _ in range(rounds):
            for kept in (settings.data_dir / "results").rglob("pixels-*"):
                kept.unlink()
            for uids in cases:
                tags: dict[str, str] = {}
                for name, longest, known in (
                    ("first look", "1536", False), ("again, from the disk", "1536", False), ("again, by ETag", "1536", True),
                    ("full resolution, first", "full", False), ("full resolution, from the disk", "full", False),
                ):  # fmt: skip
                    taken_ms, megabytes, tags = fetch(client, uids, longest, tags if known else {})
                    taken.setdefault(name, []).append(taken_ms)
                    size.setdefault(name, []).append(megabytes)
    return {
        name: {
            "median_ms": round(statistics.median(taken[name])), "worst_ms": round(max(taken[name])),
            "megabytes_of_four": round(statistics.mean(size[name]), 1),
        }
        for name in taken
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frames", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mammotriage-frames-"))
    try:
        figures = measure(folder, arguments.rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    machine = {"cores": psutil.cpu_count(), "load_of_5_minutes": round(psutil.getloadavg()[1], 1), "python": platform.python_version()}
    show({"machine": machine, **figures}, "frames of four films of about 4600 x 2800 pixels, 16 bit, RLE", arguments.json)


if __name__ == "__main__":
    main()
