"""``/api/v1/instances/{uid}/pixels``: an image for a viewer that lays its own window over 12 or 16 bits."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
import anyio.to_thread
import cv2
import numpy as np
from fastapi import APIRouter, Header, Query, Response

from models.errors import ImageTooLarge, ModelsError
from models.foreign_parsers import read_dicom
from models.preprocessing.display import DisplayPixels, display_pixels
from service.api.auth import require_scope
from service.api.http.conditional import is_held
from service.api.http.params import Uid
from service.api.http.problems import ProblemError, problem_responses
from service.domain.access import Scope
from service.receive.accept import ReceiveContext
from service.settings import Settings
from service.store.files import FileStore
from service.store.instances import InstanceRow

AT_ONCE = 2
"""Images decoded at the same time: a large one takes a quarter of a gigabyte while it is worked on."""
FORM = 1
"""Counted up when the bytes of a cached frame change their meaning."""
SPEED = 1
"""gzip's fastest level: detector noise does not get smaller by trying harder."""

Longest = Literal["1536", "full"]

LAYOUT = {
    "rows": 1536, "columns": 1187, "source_rows": 3328, "source_columns": 2560, "inverse": False, "bits_stored": 12, "curve": "linear",
    "windows": [{"centre": 2047.5, "width": 4095.0, "name": "NORMAL"}], "windows_from": "window", "intercept": 0.0, "slope": 1.0,
    "spacing_mm": [0.07, 0.07],
}  # fmt: skip

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "description": "rows x columns unsigned 16-bit little-endian values, row by row, before any window",
        "headers": {
            "X-Pixels": {
                "description": "JSON: size sent and size of the source, `inverse` (the smallest value is white), the windows in the values "
                "sent, the curve of a window, units (`slope * value + intercept`), spacing of the source's pixels",
                "schema": {"type": "string"},
                "example": json.dumps(LAYOUT),
            },
            "ETag": {"schema": {"type": "string"}},
        },
    },
    304: {"description": "as it was when this ETag was handed out"},
}


@dataclass(frozen=True)
class Frame:
    """What is sent: the values, compressed, and how to read them (as `LAYOUT`)."""

    packed: bytes
    layout: str


def build_router(context: ReceiveContext) -> APIRouter:
    """Routes over one store."""
    router = APIRouter(prefix="/api/v1/instances", tags=["instances"], dependencies=[require_scope(Scope.READ)])
    few = anyio.CapacityLimiter(AT_ONCE)

    @router.get("/{sop_instance_uid}/pixels", response_class=Response, responses={**_ANSWERS, **problem_responses(404, 422)})
    async def pixels(
        sop_instance_uid: Uid,
        longest: Annotated[Longest, Query(description="longer side that is sent; the source is never made larger")] = "1536",
        if_none_match: Annotated[str | None, Header(description="ETags of frames that you hold")] = None,
        accept_encoding: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """The first frame's values after modality and VOI LUT, not yet windowed."""
        row = await anyio.to_thread.run_sync(context.ledger.instances.get, sop_instance_uid)
        if row is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-instance", "no image has this SOP Instance UID")
        tag = f'"{row.sha256[:32]}-{longest}-{FORM}"'
        # A browser may keep patient data for its user only, and asks before it shows them again.
        headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
        if is_held(tag, if_none_match):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        frame = await anyio.to_thread.run_sync(_frame, context.store, context.settings, row, longest, limiter=few)
        headers["X-Pixels"] = frame.layout
        if "gzip" in accept_encoding.lower():
            return Response(frame.packed, media_type="application/octet-stream", headers={**headers, "Content-Encoding": "gzip"})
        plain = await anyio.to_thread.run_sync(gzip.decompress, frame.packed, limiter=few)
        return Response(plain, media_type="application/octet-stream", headers=headers)

    return router


def _frame(store: FileStore, settings: Settings, row: InstanceRow, longest: Longest) -> Frame:
    """From the disk where it was shown before, else made of the stored file."""
    name = f"pixels-{longest}-{FORM}-{row.sha256[:16]}"
    folder = store.results_dir(row.sop_instance_uid)
    try:
        # The description is written last: where it is, the values are.
        return Frame(layout=(folder / f"{name}.json").read_text(), packed=(folder / f"{name}.gz").read_bytes())
    except FileNotFoundError:
        pass
    shown = _decode(store.path(row.path), settings.max_pixels)
    frame = pack(shown, math.inf if longest == "full" else int(longest))
    # What can be made again takes no room that images to come need.
    if store.free_bytes() >= 2 * settings.disk_free_min_bytes:
        store.write_result(row.sop_instance_uid, f"{name}.gz", frame.packed)
        store.write_result(row.sop_instance_uid, f"{name}.json", frame.layout.encode())
    return frame


def _decode(path: Path, max_pixels: int) -> DisplayPixels:
    """Whatever is wrong with a stored file becomes a problem."""
    try:
        return display_pixels(read_dicom(path, force=True), max_pixels)
    except FileNotFoundError:
        raise ProblemError(HTTPStatus.NOT_FOUND, "file-missing", "the stored file is gone: receive the instance again") from None
    except ImageTooLarge as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, error.code, str(error)) from None
    except ModelsError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, error.code, f"this image cannot be shown: {error}") from None
    except Exception as error:  # pydicom raises whatever hostile bytes provoke
        text = f"this image cannot be shown: its file cannot be read ({type(error).__name__})"
        raise ProblemError(HTTPStatus.NOT_FOUND, "unparsable", text) from None


def pack(shown: DisplayPixels, longest: float) -> Frame:
    """Make an image smaller where it is longer than `longest`, and compress it."""
    rows, columns = shown.values.shape
    scale = min(1.0, longest / max(rows, columns))
    size = max(1, round(rows * scale)), max(1, round(columns * scale))
    values = shown.values
    if size != (rows, columns):
        values = np.asarray(cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.uint16)
    layout = {
        "rows": size[0],
        "columns": size[1],
        "source_rows": rows,
        "source_columns": columns,
        "inverse": shown.inverse,
        "bits_stored": shown.bits_stored,
        "curve": shown.curve,
        "windows": [asdict(each) for each in shown.windows],
        "windows_from": shown.windows_from,
        "intercept": shown.intercept,
        "slope": shown.slope,
        "spacing_mm": shown.spacing_mm,
    }
    return Frame(gzip.compress(values.astype("<u2", copy=False).tobytes(), SPEED, mtime=0), json.dumps(layout))
