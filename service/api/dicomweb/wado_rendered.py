"""WADO-RS, rendered (PS3.18 section 10.4.1.1.3): pictures for those who only want to look."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path as FilePath
from typing import Annotated, Any

import cv2
import numpy as np
from fastapi import APIRouter, Path, Query, Request, Response
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRLittleEndian

from models.errors import ModelsError
from models.foreign_parsers import translate_errors
from models.preprocessing.display import DisplayPixels, Window, display_pixels
from service.api.auth import require_scope
from service.api.dicomweb.archive import Archive
from service.api.dicomweb.files import DECODING, Opened, quietly, read_whole
from service.api.dicomweb.media_types import not_acceptable, read_accept
from service.api.dicomweb.params import SeriesUid, SopUid, StudyUid
from service.api.dicomweb.wado_frames import native_frames
from service.api.http.problems import ProblemError, problem_responses
from service.domain.access import Scope
from service.errors import FileUnreadable, NotTranscodable
from service.receive.accept import ReceiveContext
from service.store.dicom_objects import StoredInstance

TYPES = ("image/jpeg", "image/png")
THUMBNAIL = "256,256"
LARGEST_SIDE = 16_384

Frame = Annotated[int, Path(ge=1, le=999_999, description="number of the frame, from 1", examples=[1])]
Viewport = Annotated[
    str, Query(max_length=32, description="width,height to fit the picture into; it is never enlarged", examples=["512,512"])
]
WindowWords = Annotated[
    str, Query(max_length=96, description="centre,width,function in the header's units; function linear, linear-exact or sigmoid")
]
Quality = Annotated[str, Query(max_length=3, description="of a JPEG, 1 to 100", examples=["90"])]

_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "the picture", "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in TYPES}},
    **problem_responses(400, 404, 406, 410, 422),
}


def build_router(context: ReceiveContext) -> APIRouter:
    """Routes over one ledger and one store."""
    router = APIRouter(prefix="/studies/{study_instance_uid}", dependencies=[require_scope(Scope.READ)])
    archive, spool = Archive(context), context.store.spool_dir

    def _route(path: str) -> Callable[..., Any]:
        return router.get(path, response_class=Response, responses=_PICTURE)

    def _draw(request: Request, stored: StoredInstance, number: int, viewport: str, window: str = "", quality: str = "") -> Response:
        media_type = _choose(request)
        fit, level, share = _read_viewport(viewport), _read_window(window), _read_quality(quality)
        picture = _shrink(_picture(archive.open(stored), number, level, spool), fit)
        options = [cv2.IMWRITE_JPEG_QUALITY, share] if media_type == TYPES[0] else []
        done, content = cv2.imencode(".jpg" if media_type == TYPES[0] else ".png", picture, options)
        if not done:
            raise NotTranscodable("the picture cannot be written")
        return Response(content.tobytes(), media_type=media_type)

    instance = "/series/{series_instance_uid}/instances/{sop_instance_uid}"

    @_route(f"{instance}/rendered")
    def rendered(
        request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid, sop_instance_uid: SopUid,
        viewport: Viewport = "", window: WindowWords = "", quality: Quality = "",
    ) -> Response:  # fmt: skip
        """The first frame as a picture."""
        return _draw(request, archive.find(study_instance_uid, series_instance_uid, sop_instance_uid)[0], 1, viewport, window, quality)

    @_route(f"{instance}/frames/{{number}}/rendered")
    def rendered_frame(
        request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid, sop_instance_uid: SopUid, number: Frame,
        viewport: Viewport = "", window: WindowWords = "", quality: Quality = "",
    ) -> Response:  # fmt: skip
        """One frame as a picture."""
        return _draw(request, archive.find(study_instance_uid, series_instance_uid, sop_instance_uid)[0], number, viewport, window, quality)

    @_route(f"{instance}/thumbnail")
    def thumbnail(
        request: Request,
        study_instance_uid: StudyUid,
        series_instance_uid: SeriesUid,
        sop_instance_uid: SopUid,
        viewport: Viewport = THUMBNAIL,
    ) -> Response:
        """An object, small."""
        return _draw(request, archive.find(study_instance_uid, series_instance_uid, sop_instance_uid)[0], 1, viewport)

    @_route("/series/{series_instance_uid}/thumbnail")
    def series_thumbnail(
        request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid, viewport: Viewport = THUMBNAIL
    ) -> Response:
        """The first object of a series that has pixels, small."""
        return _draw(request, _first_with_pixels(archive, archive.find(study_instance_uid, series_instance_uid)), 1, viewport)

    return router


def _first_with_pixels(archive: Archive, found: list[StoredInstance]) -> StoredInstance:
    for stored in found:
        try:
            if archive.open(stored).pixel_tag is not None:
                return stored
        except FileUnreadable:
            continue
    return found[0]


def _choose(request: Request) -> str:
    for each in read_accept(request):
        for media_type in TYPES:
            if each.takes(media_type):
                return media_type
    raise not_acceptable(*TYPES)


def _picture(opened: Opened, number: int, window: tuple[float, float, str] | None, spool: FilePath) -> NDArray[np.uint8]:
    if opened.pixel_tag is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "no-pixel-data", "this object has no pixels")
    if number > opened.frames:
        raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-frame", f"this object has {opened.frames} frames, counted from 1")
    with DECODING:
        dataset = read_whole(opened)
    if opened.frames > 1:
        dataset.PixelData = b"".join(next(native_frames(opened, [number], spool)))
        dataset.NumberOfFrames, dataset.file_meta.TransferSyntaxUID = 1, ExplicitVRLittleEndian
    try:
        with DECODING, quietly(), translate_errors(NotTranscodable, "it cannot be rendered"):
            return _colours(dataset) if int(dataset.get("SamplesPerPixel") or 1) == 3 else _greys(dataset, window)
    except ModelsError as error:
        raise NotTranscodable(f"it cannot be rendered: {error}") from error


def _greys(dataset: Dataset, wanted: tuple[float, float, str] | None) -> NDArray[np.uint8]:
    shown = display_pixels(dataset)
    if wanted:
        centre, width, curve = wanted
        window = Window((centre - shown.intercept) / shown.slope, width / shown.slope)
    else:
        window, curve = shown.windows[0], shown.curve
    return np.take(_table(shown, window, curve), shown.values)


def _table(shown: DisplayPixels, window: Window, curve: str) -> NDArray[np.uint8]:
    """Grey of every value under a window (PS3.3 section C.11.2.1.2)."""
    values = np.arange(65_536, dtype=np.float64)
    if curve == "sigmoid":
        share = 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - window.centre) / window.width, -60.0, 60.0)))
    else:
        # The linear function takes half a unit from the centre and a unit from the width, the exact one does not.
        unit = 0.0 if curve == "linear-exact" else 1.0 / shown.slope
        share = (values - (window.centre - unit / 2.0)) / max(window.width - unit, 1e-9) + 0.5
    greys = np.rint(np.clip(share, 0.0, 1.0) * 255.0).astype(np.uint8)
    return 255 - greys if shown.inverse else greys


def _colours(dataset: Dataset) -> NDArray[np.uint8]:
    if int(dataset.BitsAllocated) != 8:
        raise ValueError("colours of another depth")
    return np.ascontiguousarray(pixel_array(dataset, raw=False)[..., ::-1])


def _shrink(picture: NDArray[np.uint8], fit: tuple[int, int] | None) -> NDArray[np.uint8]:
    rows, columns = picture.shape[:2]
    scale = min(fit[0] / columns, fit[1] / rows) if fit else 1.0
    if scale >= 1.0:
        return picture
    size = max(round(columns * scale), 1), max(round(rows * scale), 1)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _read_viewport(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,5}),(\d{1,5})", text, re.ASCII)
    if match is None or not all(1 <= int(each) <= LARGEST_SIDE for each in match.groups()):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "invalid-query", f"viewport is width,height, each 1 to {LARGEST_SIDE}")
    return int(match[1]), int(match[2])


def _read_window(text: str) -> tuple[float, float, str] | None:
    if not text:
        return None
    number = r"-?\d{1,12}(?:\.\d{1,12})?"
    match = re.fullmatch(rf"({number}),({number}),(linear|linear-exact|sigmoid)", text, re.ASCII)
    if match is None or float(match[2]) <= 0:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "invalid-query", "window is centre,width,function, as in 2048,4096,linear")
    return float(match[1]), float(match[2]), match[3]


def _read_quality(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and 1 <= int(text) <= 100):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "invalid-query", "quality is 1 to 100")
    return int(text or 90)
