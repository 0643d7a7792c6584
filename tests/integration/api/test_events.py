"""Server-sent events on a real socket: nothing twice, nothing left out, nobody waits for a stream to end."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from service.api.events import feed
from service.api.events import routes as events_stream
from service.api.events.feed import Feed
from service.api.http import server_sent_events
from service.domain.access import Scope
from service.store.events import EventRow, Events
from tests.support.api_server import CLIENT_TIMEOUT_S, Served, serve_api
from tests.support.eventually import TIMEOUT_S, eventually
from tests.support.sample_findings import full_field


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Served]:
    with serve_api(tmp_path) as served:
        yield served


class Stream:
    """The lines of one stream, read one event at a time."""

    def __init__(self, response: httpx.Response) -> None:
        self.response, self._lines = response, response.iter_lines()
        self.start = self.read()

    def read(self) -> dict[str, str]:
        """Fields of the next event or comment."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line:
                return fields
            name, _, value = line.partition(":")
            fields[name] = value.strip()
        raise EOFError

    def next_event(self) -> dict[str, Any]:
        while True:
            fields = self.read()
            if "data" in fields:
                event: dict[str, Any] = json.loads(fields["data"])
                assert fields["id"] == str(event["id"])
                return event

    def rest(self) -> list[dict[str, Any]]:
        """All until the server ends the stream."""
        events = []
        try:
            while True:
                events.append(self.next_event())
        except EOFError:
            return events


@contextmanager
def listen(api: Served, last_event_id: str | None = None, **query: object) -> Iterator[Stream]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id is not None else {}
    with api.client.stream("GET", "/api/v1/events", params=query, headers=headers) as response:  # type: ignore[arg-type]
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response)


def receive(api: Served) -> str:
    image = full_field()
    api.post(image)
    return str(image.StudyInstanceUID)


def test_who_listens_hears_of_what_happens_from_then_on(api: Served) -> None:
    receive(api)
    with listen(api) as stream:
        study_instance_uid = receive(api)
        event = stream.next_event()
    assert (event["type"], event["data"]) == ("study.received", {"study_instance_uid": study_instance_uid})


def test_who_was_cut_off_goes_on_behind_the_last_event_it_knows(tmp_path: Path, database_url: str) -> None:
    with serve_api(tmp_path, database_url=database_url) as api:
        first, second = receive(api), receive(api)
        with listen(api, after=0) as stream:
            event = stream.next_event()
            assert event["data"]["study_instance_uid"] == first
        with listen(api, last_event_id=str(event["id"]), after=0) as stream:
            assert stream.next_event()["data"]["study_instance_uid"] == second
            third = receive(api)
            assert stream.next_event()["data"]["study_instance_uid"] == third


def test_who_is_cut_off_before_the_first_event_still_knows_where_to_go_on(api: Served) -> None:
    receive(api)
    with listen(api) as stream:
        known = stream.start["id"]
    study_instance_uid = receive(api)
    with listen(api, last_event_id=known) as stream:
        assert stream.next_event()["data"]["study_instance_uid"] == study_instance_uid


def test_an_id_that_this_ledger_never_gave_holds_nothing_back(api: Served) -> None:
    receive(api)
    with listen(api, last_event_id="4000000000") as stream:
        study_instance_uid = receive(api)
        assert stream.next_event()["data"]["study_instance_uid"] == study_instance_uid


def test_a_stream_can_be_narrowed_to_kinds_and_to_a_study(api: Served) -> None:
    image = full_field()
    with listen(api, kinds="study.concluded,label.*") as concluded, listen(api, study=str(image.StudyInstanceUID)) as one:
        receive(api)
        api.post(image)
        api.answer(image, "R", "CC")
        api.conclude(str(image.StudyInstanceUID))
        assert concluded.next_event()["type"] == "study.concluded"
        assert [one.next_event()["type"] for _ in range(2)] == ["study.received", "study.concluded"]


def test_many_clients_cost_one_look_at_a_time(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[list[EventRow]] = []
    look = Events.find

    def count(*arguments: Any) -> list[EventRow]:
        looks.append(look(*arguments))
        return looks[-1]

    monkeypatch.setattr(Events, "find", count)
    streams = [listen(api) for _ in range(12)]
    opened = [stream.__enter__() for stream in streams]
    try:
        looks.clear()
        study_instance_uid = receive(api)
        assert {stream.next_event()["data"]["study_instance_uid"] for stream in opened} == {study_instance_uid}
        assert len([found for found in looks if found]) == 1, "one look finds the event for all clients"
    finally:
        for stream in streams:
            stream.__exit__(None, None, None)


def test_streams_end_when_the_server_stops(tmp_path: Path) -> None:
    streamed: list[list[dict[str, Any]]] = []
    with serve_api(tmp_path) as api:
        ready = threading.Event()
        address = api.settings.public_api_url

        def follow() -> None:
            with (
                httpx.Client(base_url=address, timeout=CLIENT_TIMEOUT_S, trust_env=False, headers=api.client.headers) as client,
                client.stream("GET", "/api/v1/events") as response,
            ):
                stream = Stream(response)
                ready.set()
                streamed.append(stream.rest())

        thread = threading.Thread(target=follow)
        thread.start()
        assert ready.wait(TIMEOUT_S)
    thread.join()
    assert streamed == [[]]


def test_a_client_that_takes_nothing_is_let_go_and_holds_nobody_up(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LONGEST_QUEUE", 50)
    monkeypatch.setattr(server_sent_events, "PATIENCE_S", 0.5)
    # An event is small, and kernels buffer megabytes: a comment makes each of them long.
    short = events_stream.as_text
    monkeypatch.setattr(events_stream, "as_text", lambda event: short(event) + ":" + "x" * 400_000 + "\n\n")
    followers = _feed_of(api)._followers
    with socket.create_connection(("127.0.0.1", api.settings.http_port)) as idle:
        authorization = api.client.headers.get("Authorization")
        header = f"Authorization: {authorization}\r\n" if authorization else ""
        idle.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: here\r\n{header}\r\n".encode())
        begun = b""
        while b"retry:" not in begun:
            begun += idle.recv(4096)
        assert followers
        assert api.post(*(full_field() for _ in range(60))).status_code == 202
        eventually(lambda: not followers, what="the server ends the stream that nobody reads")


def _feed_of(api: Served) -> Feed:
    feed: Feed = api.site.state.feed
    return feed


def test_a_ledger_that_is_away_for_a_while_costs_no_follower_and_no_event(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "AFTER_ERROR_S", 0.05)
    look, failed = Events.find, threading.Event()

    def fail_once(*arguments: Any) -> list[EventRow]:
        if not failed.is_set():
            failed.set()
            raise OperationalError("SELECT", {}, ConnectionError("gone"))
        return look(*arguments)

    with listen(api) as stream:
        monkeypatch.setattr(Events, "find", fail_once)
        assert failed.wait(TIMEOUT_S)
        study_instance_uid = receive(api)
        assert stream.next_event()["data"]["study_instance_uid"] == study_instance_uid


def test_a_ledger_that_is_away_at_the_beginning_ends_the_stream_and_the_client_comes_back(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise OperationalError("SELECT", {}, ConnectionError("gone"))

    with monkeypatch.context() as away:
        away.setattr(Events, "last_id", fail)
        answer = api.client.get("/api/v1/events")
        assert (answer.status_code, answer.text) == (200, "")
    with listen(api) as stream:
        study_instance_uid = receive(api)
        assert stream.next_event()["data"]["study_instance_uid"] == study_instance_uid


def test_a_stream_ends_by_itself_so_that_whether_its_client_still_may_is_asked_anew(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_stream, "LONGEST_STREAM_S", 0.3)
    monkeypatch.setattr(events_stream, "KEEP_ALIVE_S", 0.1)
    with listen(api) as stream:
        assert stream.rest() == []


def test_who_may_not_read_hears_nothing(api: Served) -> None:
    with api.client_with(Scope.METRICS) as client:
        assert client.get("/api/v1/events").status_code == 403
    with api.client_with() as client:
        assert client.get("/api/v1/events").status_code == 401
