"""Heartbeats of workers and samples of each minute, on a real ledger and broker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.domain.findings import ObjectKind
from service.jobs.context import Context, open_context
from service.jobs.heartbeat import Heartbeat
from service.jobs.sampling import SAMPLED, keep_sampling, take_samples
from service.settings import Settings
from service.stack import EmbeddedRedis
from tests.support.databases import prepare_ledger
from tests.support.eventually import eventually
from tests.support.ledger_values import header
from tests.support.ports import free_port


@pytest.fixture
def context(tmp_path: Path, clean_environment: pytest.MonkeyPatch) -> Iterator[Context]:
    settings = Settings(data_dir=tmp_path / "data", redis_url=f"redis://127.0.0.1:{free_port()}/0")
    settings.data_dir.mkdir()
    prepare_ledger(settings.ledger_url)
    opened = open_context(settings)
    yield opened
    opened.ledger.close()


def test_a_worker_has_a_heartbeat_with_its_models_until_it_stops(context: Context) -> None:
    heart = Heartbeat(context, beat_s=0.05)
    heart.start()
    try:
        eventually(context.ledger.workers.all)
        (first,) = context.ledger.workers.all()
        assert {model.task for model in first.models} == {"labeler", "cancer"}
        assert first.provider == context.analyser.cancer.provider
        eventually(lambda: context.ledger.workers.all()[0].seen_at > first.seen_at)
        context.ledger.workers.deregister(first.name)
        eventually(context.ledger.workers.all)
    finally:
        heart.stop()
    assert context.ledger.workers.all() == []


def test_each_sample_has_the_backlog_and_the_free_disk_space(context: Context, tmp_path: Path) -> None:
    context.ledger.instances.add(header("1.2.3.1"), "a" * 64, Path("x"), 10, "MG1")
    context.ledger.deliveries.plan("1.2.3", 1, ObjectKind.REPORT, None, "pacs", "2.25.1")
    without = take_samples(context)
    assert (without["images-waiting"], without["deliveries-in-progress"]) == (1, 1)
    assert without["disk-free-bytes"] > 0
    assert not [name for name in without if name.startswith("queued")], "an unknown queue is no empty queue"
    broker = EmbeddedRedis(tmp_path / "redis", port=int(context.settings.redis_url.rsplit(":", 1)[1].split("/")[0]))
    broker.start()
    try:
        context.publisher.deliver(1)
        assert take_samples(context)["queued.routine"] == 1
        assert set(take_samples(context)) == set(SAMPLED)
        stop = threading.Event()
        looking = threading.Thread(target=keep_sampling, args=(context, stop))
        looking.start()
        since = datetime.now(UTC) - timedelta(minutes=2)
        eventually(lambda: "queued.routine" in context.ledger.samples.means(SAMPLED, since, 60))
        stop.set()
        looking.join()
    finally:
        broker.stop()
