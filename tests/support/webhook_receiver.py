"""A real HTTP receiver of webhooks, which can be down, slow of answer or rude, and keeps what it received."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from service.destinations import Webhook
from tests.support.ports import free_port


@dataclass(frozen=True)
class ReceivedEvent:
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> int:
        return int(self.headers["webhook-id"])

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


class Receiver:
    """Listens on a port of its own while `up`; `answers` are given one after the other, then 204.

    Parameters
    ----------
    answers
        HTTP statuses; None takes the event and hangs up without an answer.
    """

    def __init__(self, *answers: int | None) -> None:
        self.port = free_port()
        self.answers = list(answers)
        self.received: list[ReceivedEvent] = []

    @property
    def ids(self) -> list[int]:
        """In the order in which they came, with those that came twice."""
        return [each.id for each in self.received]

    def webhook(self, **fields: Any) -> Webhook:
        """Gets events of deliveries by default."""
        usual = {"name": "his", "url": f"http://127.0.0.1:{self.port}/events", "secret": "shared key", "events": ("delivery.*",)}
        return Webhook(**usual | fields)

    @contextmanager
    def up(self) -> Iterator[Receiver]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = receiver.answers.pop(0) if receiver.answers else 204
                if answer is None or 200 <= answer < 300:
                    receiver.received.append(ReceivedEvent({name.lower(): value for name, value in self.headers.items()}, body))
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer)
                self.send_header("location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
