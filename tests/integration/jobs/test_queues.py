"""The queues on a real Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu.entity import Queue
from kombu.messaging import Consumer

from service.domain.findings import Priority
from service.errors import BrokerDown
from service.jobs.queues import QUEUES, Publisher
from service.stack import EmbeddedRedis
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
                connection.drain_events(timeout=5)
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
    time.sleep(1.2)  # Redis flushes its append-only file once a second
    broker.stop()
    broker.start()
    assert take(publisher, 1) == ["1.2.3"]


def test_a_dead_broker_fails_at_once_and_is_then_not_asked_for_a_moment() -> None:
    publisher = Publisher(f"redis://127.0.0.1:{free_port()}/0")
    started = time.monotonic()
    for _ in range(200):
        with pytest.raises(BrokerDown):
            publisher.analyse("1.2.3")
    assert time.monotonic() - started < 2.0, "two hundred images must not wait for two hundred timeouts"
