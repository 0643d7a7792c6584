"""A DICOMweb client's side of the tests: dicomweb-client with a key, and parts out of multipart answers."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message

import httpx
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset

from tests.support.api_server import Served, as_bytes

ALL_SYNTAXES = 'multipart/related; type="application/dicom"; transfer-syntax=*'
FRAMES_AS_STORED = "multipart/related; type=application/octet-stream; transfer-syntax=*"
"""As Cornerstone asks, word for word."""


@dataclass(frozen=True)
class Received:
    """A part of a multipart answer."""

    content_type: str
    body: bytes


def viewer(api: Served) -> DICOMwebClient:
    return DICOMwebClient(f"{api.settings.public_api_url}/dicom-web", headers={"Authorization": api.client.headers["Authorization"]})


def parts_of(answer: httpx.Response) -> list[Received]:
    header = Message()
    header["Content-Type"] = answer.headers["content-type"]
    boundary = header.get_boundary()
    assert boundary is not None and answer.status_code in (200, 206)
    *parts, end = answer.content.split(f"--{boundary}".encode())[1:]
    assert end == b"--\r\n", "the answer came to its end"
    found = []
    for part in parts:
        head, _, body = part.partition(b"\r\n\r\n")
        found.append(Received(head.decode().strip().partition(": ")[2], body.removesuffix(b"\r\n")))
    return found


def path_of(image: Dataset) -> str:
    return f"/dicom-web/studies/{image.StudyInstanceUID}/series/{image.SeriesInstanceUID}/instances/{image.SOPInstanceUID}"


def stow(api: Served, *images: Dataset | bytes, part_type: str = "application/dicom", path: str = "/dicom-web/studies") -> httpx.Response:
    parts = [f"--DICOM\r\nContent-Type: {part_type}\r\n\r\n".encode() + as_bytes(image) + b"\r\n" for image in images]
    return api.client.post(
        path,
        content=b"".join(parts) + b"--DICOM--\r\n",
        headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=DICOM', "Accept": "application/dicom+json"},
    )
