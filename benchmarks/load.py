"""HTTP load at a constant rate, from a process that does nothing else: ``python -m benchmarks.load`` reads a task as JSON and writes times.

Request i is due at start + i / rate, whether or not the ones before it were answered, and its latency counts from that moment: a server
that stalls is charged for everybody who would have asked meanwhile (no coordinated omission). Standard library only: it starts quickly.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Task:
    """What one process asks for: request `first`, `first + step` and so on of the whole."""

    port: int
    paths: list[str]
    headers: dict[str, str]
    rate: float
    """Requests a second of all processes together."""
    start_at_s: float
    """On the monotonic clock, which Linux shares between processes."""
    first: int = 0
    step: int = 1
    connections: int = 16


@dataclass
class Times:
    """Milliseconds, one entry a request."""

    latency_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    """How late the request was sent: part of the latency, and the generator's own share of it where the connection was free."""
    statuses: dict[str, int] = field(default_factory=dict)


def run(task: Task) -> Times:
    """Ask, and take the times. Every connection is a thread with its own share of the requests."""
    times, lock = Times(), threading.Lock()
    mine = range(task.first, len(task.paths), task.step)

    def ask(share: range) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", task.port, timeout=60)
        connection.connect()
        for number in share:
            due_s = task.start_at_s + number / task.rate
            time.sleep(max(0.0, due_s - time.monotonic()))
            sent_s = time.monotonic()
            connection.request("GET", task.paths[number], headers=task.headers)
            answer = connection.getresponse()
            answer.read()
            ended_s = time.monotonic()
            with lock:
                times.latency_ms.append(1000 * (ended_s - due_s))
                times.late_ms.append(1000 * (sent_s - due_s))
                times.statuses[str(answer.status)] = times.statuses.get(str(answer.status), 0) + 1
        connection.close()

    threads = [threading.Thread(target=ask, args=(mine[each :: task.connections],)) for each in range(task.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def spread(port: int, paths: list[str], headers: dict[str, str], rate: float, processes: int = 2, lead_s: float = 1.5) -> Times:
    """Ask for every path once, in order, from several processes at `rate` requests a second together."""
    start_at_s = time.monotonic() + lead_s
    tasks = [Task(port, paths, headers, rate, start_at_s, first, processes) for first in range(processes)]
    running = [
        subprocess.Popen([sys.executable, "-m", "benchmarks.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in tasks
    ]
    for process, task in zip(running, tasks, strict=True):
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(task)))
        process.stdin.close()
    together = Times()
    for process in running:
        assert process.stdout is not None
        answer: dict[str, Any] = json.loads(process.stdout.read())
        if process.wait() != 0:
            raise SystemExit("a load generator broke")
        together.latency_ms += answer["latency_ms"]
        together.late_ms += answer["late_ms"]
        for status, count in answer["statuses"].items():
            together.statuses[status] = together.statuses.get(status, 0) + count
    return together


def summarise(times: Times) -> dict[str, Any]:
    """Figures of one run, milliseconds."""
    return {
        "requests": len(times.latency_ms),
        "p50_ms": percentile(times.latency_ms, 0.5),
        "p90_ms": percentile(times.latency_ms, 0.9),
        "p99_ms": percentile(times.latency_ms, 0.99),
        "max_ms": round(max(times.latency_ms), 2),
        "sent_late_p99_ms": percentile(times.late_ms, 0.99),
        "statuses": times.statuses,
    }


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed."""
    return round(sorted(values)[max(0, -int(-share * len(values) // 1) - 1)], 2)


if __name__ == "__main__":
    json.dump(asdict(run(Task(**json.load(sys.stdin)))), sys.stdout)
