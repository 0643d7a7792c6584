"""docs/events.md names every metric and every event that there is, and none that there is not."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.domain.events import CORRECTION_EVENTS, DELIVERY_EVENTS, EventKind
from service.domain.findings import CorrectionState, DeliveryState
from service.jobs.reconcile import Reconciliation
from service.metrics import build_registry
from service.store.ledger import Ledger
from tests.support.databases import prepare_ledger

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")


def test_the_page_names_the_metrics_that_there_are(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    prepare_ledger(url)
    ledger = Ledger(url)
    night = Reconciliation(started_at=datetime.now(UTC), finished_at=datetime.now(UTC), complete=True)
    (tmp_path / "reconcile-2026-11-21.json").write_text(night.model_dump_json())
    text = generate_latest(build_registry(ledger.counts, ["pacs"], ["his"], tmp_path)).decode()
    ledger.close()
    assert {family.name for family in text_string_to_metric_families(text)} == set(re.findall(r"`(mammotriage_\w+)`", PAGE))


def test_the_page_names_the_events_that_there_are() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \|", PAGE, re.M)
    named = {name for row in rows for name in re.findall(r"`([a-z.-]+)`", row)}
    assert named == {kind.value for kind in EventKind}


def test_every_state_that_is_told_has_its_event() -> None:
    assert set(CORRECTION_EVENTS) == set(CorrectionState)
    assert set(DELIVERY_EVENTS) == {state for state in DeliveryState if not state.is_open}
