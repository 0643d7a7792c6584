"""WADO-RS, rendered (PS3.18 section 10.4.1.1.3): pictures for those who only want to look."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from service.api.http.multipart_response import OutgoingPart, stream_parts
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

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """How a picture is to be drawn."""

    fit: tuple[int, int] | None
    """Width and height to fit it into."""
    window: tuple[float, float, str] | None
    quality: int


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

    def _render(stored: StoredInstance, number: int, media_type: str, wanted: Wanted) -> bytes:
        picture = _shrink(_picture(archive.open(stored), number, wanted.window, spool), wanted.fit)
        options = [cv2.IMWRITE_JPEG_QUALITY, wanted.quality] if media_type == TYPES[0] else []
        done, content = cv2.imencode(".jpg" if media_type == TYPES[0] else ".png", picture, options)
        if not done:
            raise NotTranscodable("the picture cannot be written")
        return content.tobytes()

    def _draw(request: Request, stored: StoredInstance, number: int, viewport: str, window: str = "", quality: str = "") -> Response:
        media_type = _choose(request)
        return Response(_render(stored, number, media_type, _read_wanted(viewport, window, quality)), media_type=media_type)

    def _draw_all(request: Request, found: list[StoredInstance], viewport: str, window: str, quality: str) -> Response:
        wanted = _read_wanted(viewport, window, quality)
        pictured = [stored for stored in found if _has_pixels(archive, stored)]
        if not pictured:
            raise ProblemError(HTTPStatus.NOT_FOUND, "no-pixel-data", "no object here has pixels")
        for each in read_accept(request):
            for media_type in TYPES:
                if each.takes_parts_of(media_type):
                    return stream_parts(_parts(pictured, media_type, wanted), media_type)
                if each.takes(media_type) and len(pictured) == 1:
                    return Response(_render(pictured[0], 1, media_type, wanted), media_type=media_type)
        raise not_acceptable(*(f'multipart/related; type="{media_type}"' for media_type in TYPES))

    def _parts(pictured: list[StoredInstance], media_type: str, wanted: Wanted) -> Iterator[OutgoingPart]:
        for stored in pictured:
            try:
                content = _render(stored, 1, media_type, wanted)
            except (FileUnreadable, NotTranscodable, ProblemError) as error:
                # The answer has begun: one damaged object must not end it for the others.
                log.warning("an object is left out of a rendered answer", extra={"cause": str(error)})
                continue
            yield OutgoingPart(media_type, iter([content]))

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

    @_route(f"{instance}/frames/{{number}}/thumbnail")
    def thumbnail_of_frame(
        request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid, sop_instance_uid: SopUid, number: Frame,
        viewport: Viewport = THUMBNAIL,
    ) -> Response:  # fmt: skip
        """One frame, small."""
        return _draw(request, archive.find(study_instance_uid, series_instance_uid, sop_instance_uid)[0], number, viewport)

    @_route("/rendered")
    def rendered_study(
        request: Request, study_instance_uid: StudyUid, viewport: Viewport = "", window: WindowWords = "", quality: Quality = ""
    ) -> Response:
        """The first frame of every object of a study that has pixels, a part each."""
        return _draw_all(request, archive.find(study_instance_uid), viewport, window, quality)

    @_route("/series/{series_instance_uid}/rendered")
    def rendered_series(
        request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid,
        viewport: Viewport = "", window: WindowWords = "", quality: Quality = "",
    ) -> Response:  # fmt: skip
        """The first frame of every object of a series that has pixels, a part each."""
        return _draw_all(request, archive.find(study_instance_uid, series_instance_uid), viewport, window, quality)

    @_route("/thumbnail")
    def study_thumbnail(request: Request, study_instance_uid: StudyUid, viewport: Viewport = THUMBNAIL) -> Response:
        """The first object of a study that has pixels, small."""
        return _draw(request, _first_with_pixels(archive, archive.find(study_instance_uid)), 1, viewport)

    @_route("/series/{series_instance_uid}/thumbnail")
    def series_thumbnail(
        request: Request, study_instance_uid: StudyUid, series_instance_uid: SeriesUid, viewport: Viewport = THUMBNAIL
    ) -> Response:
        """The first object of a series that has pixels, small."""
        return _draw(request, _first_with_pixels(archive, archive.find(study_instance_uid, series_instance_uid)), 1, viewport)

    return router


def _first_with_pixels(archive: Archive, found: list[StoredInstance]) -> StoredInstance:
    return next((stored for stored in found if _has_pixels(archive, stored)), found[0])


def _has_pixels(archive: Archive, stored: StoredInstance) -> bool:
    try:
        return archive.open(stored).pixel_tag is not None
    except FileUnreadable:
        return False


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


def _read_wanted(viewport: str, window: str, quality: str) -> Wanted:
    return Wanted(_read_viewport(viewport), _read_window(window), _read_quality(quality))


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
