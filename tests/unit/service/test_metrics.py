from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client import generate_latest

from service.metrics import build_registry


def test_a_scrape_reads_the_ledger_of_that_moment() -> None:
    counts = {"instances": {"received": 2, "not-analysed": 1}}
    registry = build_registry(lambda: counts, lambda: datetime.now(UTC) - timedelta(seconds=90))
    counts["instances"]["received"] = 3
    text = generate_latest(registry).decode()
    assert 'mammotriage_instances{state="received"} 3.0' in text
    assert 'mammotriage_instances{state="not-analysed"} 1.0' in text
    age = next(line for line in text.splitlines() if line.startswith("mammotriage_oldest_unfinished_seconds"))
    assert 90 <= float(age.split()[1]) < 100


def test_nothing_unfinished_is_no_age() -> None:
    assert "mammotriage_oldest_unfinished_seconds 0.0" in generate_latest(build_registry(dict, lambda: None)).decode()
