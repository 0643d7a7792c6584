"""An HTTP peer on a real socket: it answers as the test says, and keeps the requests that it received."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydicom.dataset import Dataset

MULTIPART = 'multipart/related; type="application/dicom"; boundary=frontier'


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    status: int = 200
    body: bytes = b""
    content_type: str = "application/dicom+json"


@dataclass
class DicomWebPeer:
    """`answer` is called with each request."""

    answer: Callable[[Request], Response]
    url: str = ""
    requests: list[Request] = field(default_factory=list)

    def of(self, method: str) -> list[Request]:
        return [each for each in self.requests if each.method == method]


@contextmanager
def dicomweb_peer(answer: Callable[[Request], Response]) -> Iterator[DicomWebPeer]:
    """Serve, lend, stop."""
    peer = DicomWebPeer(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, parts.path, parse_qs(parts.query), dict(self.headers.items()), body)
            peer.requests.append(request)
            response = peer.answer(request)
            self.send_response(response.status)
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        do_GET = do_POST = do_PUT = _any

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    peer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def failed(reason: int, status: int = 409) -> Response:
    """The answer of a STOW-RS that refuses the object (PS3.18 10.5.3)."""
    item = {"00081197": {"vr": "US", "Value": [reason]}}
    return Response(status, json.dumps({"00081198": {"vr": "SQ", "Value": [item]}}).encode())


class Dcm4cheeLike:
    """The three services of dcm4chee-arc that a correction needs: update an instance, list it, give it out. One image, no other checks.

    Parameters
    ----------
    writes
        False: it consents and changes nothing.
    method
        Of the update.
    """

    PLACE = re.compile(r"/rs/studies/([0-9.]+)/series/([0-9.]+)/instances(?:/([0-9.]+))?")

    def __init__(self, image: Dataset, writes: bool = True, method: str = "PUT") -> None:
        self.image = image
        self.writes = writes
        self.method = method

    def __call__(self, request: Request) -> Response:
        place = self.PLACE.fullmatch(request.path)
        held = (self.image.StudyInstanceUID, self.image.SeriesInstanceUID, self.image.SOPInstanceUID)
        if place is None or place.groups()[:2] != held[:2]:
            return Response(404)
        if place[3] is None:
            wanted = request.query.get("SOPInstanceUID", [held[2]])
            found = {"00080018": {"vr": "UI", "Value": [held[2]]}}
            return Response(body=json.dumps([found] if held[2] in wanted else []).encode())
        if place[3] != held[2]:
            return Response(404)
        if request.method == self.method:
            return self._update(json.loads(request.body))
        if request.method != "GET":
            return Response(405)
        content = BytesIO()
        self.image.save_as(content, enforce_file_format=True)
        return Response(body=b"--frontier\r\n\r\n" + content.getvalue() + b"\r\n--frontier--\r\n", content_type=MULTIPART)

    def _update(self, attributes: dict[str, Any]) -> Response:
        if self.writes:
            for element in Dataset.from_json(attributes):
                if element.is_empty:
                    self.image.pop(element.tag, None)
                else:
                    self.image[element.tag] = element
        return Response(204)
