"""The queues on a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu.entity import Queue
from kombu.messaging import Consumer

from service.domain.findings import Priority
from service.errors import BrokerDown
from service.jobs.queues import ANALYSE, QUEUES, Publisher
from service.stack import EmbeddedRedis
from tests.support.eventually import TIMEOUT_S
from tests.support.ports import free_port


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    redis = EmbeddedRedis(tmp_path / "redis")
    redis.start()
    yield redis
    redis.stop()


def take(publisher: Publisher, count: int) -> list[str]:
    """Ids in the order in which a worker gets them."""
    taken: list[str] = []

    def keep(body: object, message: object) -> None:
        taken.append(body[0][0])  # type: ignore[index]
        message.ack()  # type: ignore[attr-defined]

    with publisher.app.connection_for_read() as connection, connection.channel() as channel:
        channel.basic_qos(0, 1, False)
        with Consumer(channel, [Queue(name) for name in QUEUES.values()], callbacks=[keep]):
            while len(taken) < count:
                connection.drain_events(timeout=TIMEOUT_S)
    return taken


def test_urgent_images_overtake_all_others(broker: EmbeddedRedis) -> None:
    publisher = Publisher(broker.url)
    for number in range(3):
        for priority in (Priority.BACKGROUND, Priority.ROUTINE, Priority.URGENT):
            publisher.analyse(f"{priority}-{number}", priority)
    assert publisher.waiting() == {"urgent": 3, "routine": 3, "background": 3}
    assert [name.split("-")[0] for name in take(publisher, 9)] == ["urgent"] * 3 + ["routine"] * 3 + ["background"] * 3


def test_messages_survive_a_restart_of_the_broker(broker: EmbeddedRedis) -> None:
    publisher = Publisher(broker.url)
    publisher.analyse("1.2.3")
    broker.stop()
    broker.start()
    assert take(publisher, 1) == ["1.2.3"]


def test_a_dead_broker_fails_at_once_and_is_then_not_asked_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = Publisher(f"redis://127.0.0.1:{free_port()}/0")
    tried: list[str] = []
    send = publisher.app.send_task

    def count(name: str, *rest: Any, **options: Any) -> Any:
        tried.append(name)
        return send(name, *rest, **options)

    monkeypatch.setattr("service.jobs.queues.PAUSE_AFTER_FAILURE_S", 3600.0)
    monkeypatch.setattr(publisher.app, "send_task", count)
    for _ in range(200):
        with pytest.raises(BrokerDown):
            publisher.analyse("1.2.3")
    assert tried == [ANALYSE], "two hundred images do not wait for two hundred timeouts"
