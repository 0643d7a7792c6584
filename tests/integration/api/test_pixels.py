"""Pixels for a viewer, over HTTP: every bit of the file, how to display it, and a problem where there is no picture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pydicom
import pytest
from pydicom import Dataset

from service.analyse.heatmap import encode_array
from tests.support.api_server import Served, as_bytes, serve_api
from tests.support.sample_findings import full_field


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_api(tmp_path_factory.mktemp("api"), max_pixels=20_000_000) as served:
        yield served


def ask(api: Served, image: Dataset, longest: str = "1536", **headers: str) -> httpx.Response:
    return api.client.get(f"/api/v1/instances/{image.SOPInstanceUID}/pixels", params={"longest": longest}, headers=headers)


def read(answer: httpx.Response) -> tuple[np.ndarray[Any, np.dtype[np.uint16]], dict[str, Any]]:
    assert answer.status_code == 200
    layout = json.loads(answer.headers["X-Pixels"])
    return np.frombuffer(answer.content, "<u2").reshape(layout["rows"], layout["columns"]), layout


def test_a_small_image_comes_as_it_is(api: Served) -> None:
    image = full_field()
    api.post(image)
    values, layout = read(ask(api, image))
    assert np.array_equal(values, image.pixel_array)
    assert (layout["inverse"], layout["bits_stored"], layout["spacing_mm"]) == (False, 12, [0.1, 0.1])
    assert layout["windows"] == [{"centre": 2048.0, "width": 4096.0, "name": ""}]


def test_a_real_film_of_16_bits_comes_whole_or_smaller(api: Served, cbis_cases: dict[str, list[Path]]) -> None:
    image = pydicom.dcmread(cbis_cases["sfm-malign-0"][0])
    api.post(cbis_cases["sfm-malign-0"][0].read_bytes())
    whole, layout = read(ask(api, image, "full"))
    assert np.array_equal(whole, image.pixel_array)
    assert (layout["rows"], layout["source_rows"]) == (image.Rows, image.Rows)
    small, layout = read(ask(api, image))
    assert (max(small.shape), layout["source_rows"], layout["source_columns"]) == (1536, image.Rows, image.Columns)
    again = cv2.resize(whole.astype(np.float32), small.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(again - small).max() <= 1


def test_a_frame_that_is_known_is_not_sent_again(api: Served) -> None:
    image = full_field()
    api.post(image)
    first = ask(api, image)
    same = ask(api, image, **{"If-None-Match": f'"other", {first.headers["ETag"]}'})
    assert (same.status_code, same.content) == (304, b"")
    assert ask(api, image, "full", **{"If-None-Match": first.headers["ETag"]}).status_code == 200
    assert "private" in first.headers["Cache-Control"]


def test_a_frame_that_was_shown_needs_its_file_no_more(api: Served) -> None:
    image = full_field()
    api.post(image)
    shown = ask(api, image)
    row = api.ledger.instances.get(str(image.SOPInstanceUID))
    assert row is not None
    api.store.path(row.path).unlink()
    assert ask(api, image).content == shown.content
    gone = ask(api, image, "full")
    assert (gone.status_code, gone.json()["code"]) == (404, "file-missing")


def test_who_takes_no_gzip_gets_the_values_plain(api: Served) -> None:
    image = full_field()
    api.post(image)
    plain = ask(api, image, **{"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.content == ask(api, image).content == image.pixel_array.astype("<u2").tobytes()


def test_nothing_is_kept_where_the_disk_is_needed_for_images(tmp_path: Path) -> None:
    with serve_api(tmp_path, disk_free_min_bytes=shutil.disk_usage(tmp_path).free * 3 // 4) as served:
        image = full_field()
        assert served.post(image).status_code == 202
        read(ask(served, image))
        assert not list(served.store.results_dir(str(image.SOPInstanceUID)).glob("pixels*"))


def _coloured(image: Dataset) -> bytes:
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelData = 8, 8, 7, bytes(256 * 192 * 3)
    return as_bytes(image)


def _cut(image: Dataset) -> bytes:
    image.PixelData = image.PixelData[:999]
    return as_bytes(image)


def _huge(image: Dataset) -> bytes:
    image.Rows, image.Columns = 60000, 60000
    return as_bytes(image)


def _odd(image: Dataset) -> bytes:
    image.BitsAllocated = 13
    return as_bytes(image)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(_coloured, "not-greyscale"), (_cut, "undecodable-pixel-data"), (_huge, "image-too-large"), (_odd, "undecodable-pixel-data")],
)
def test_what_cannot_be_shown_is_a_problem_with_a_reason(api: Served, spoil: Any, code: str) -> None:
    image = full_field()
    api.post(spoil(image))
    answer = ask(api, image)
    assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Phantom" not in answer.text


def test_what_was_never_received_and_odd_questions_are_problems(api: Served) -> None:
    assert api.client.get("/api/v1/instances/1.2.3/pixels").json()["code"] == "unknown-instance"
    assert api.client.get("/api/v1/instances/1.2.3/pixels?longest=7").status_code == 422


def test_many_readers_at_once_are_all_served(api: Served, cbis_cases: dict[str, list[Path]]) -> None:
    image = pydicom.dcmread(cbis_cases["sfm-benign-0"][0], stop_before_pixels=True)
    api.post(cbis_cases["sfm-benign-0"][0].read_bytes())
    with ThreadPoolExecutor(8) as readers:
        answers = list(readers.map(lambda _: ask(api, image), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


def test_an_answer_names_pictures_only_where_they_were_drawn(api: Served) -> None:
    image = full_field()
    api.post(image)
    api.answer(image, "R", "CC")

    def links() -> dict[str, str] | None:
        shown: dict[str, str] | None = api.client.get(f"/api/v1/studies/{image.StudyInstanceUID}").json()["instances"][0]["links"]
        return shown

    assert links() is None
    api.store.write_result(str(image.SOPInstanceUID), "preview.png", b"drawn")
    assert links() == {name: f"/api/v1/instances/{image.SOPInstanceUID}/{name}.png" for name in ("heatmap", "preview")}


def test_the_heat_comes_as_grey_levels_over_the_whole_source(api: Served) -> None:
    image = full_field()
    api.post(image)
    here = f"/api/v1/instances/{image.SOPInstanceUID}/heat.png"
    assert api.client.get(here).json()["code"] == "no-picture"
    heat = np.linspace(0, 1, 256 * 192, dtype=np.float32).reshape(256, 192)
    api.store.write_result(str(image.SOPInstanceUID), "heatmap.npz", encode_array(heat, (256, 192)))
    answer = api.client.get(here)
    assert answer.headers["content-type"] == "image/png"
    grey = cv2.imdecode(np.frombuffer(BytesIO(answer.content).read(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert grey is not None
    assert grey.shape == (256, 192)
    assert np.abs(grey / 255 - heat).max() < 0.005
