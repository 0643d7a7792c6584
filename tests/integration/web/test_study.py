"""The study page: real films hung as mammographers hang them, and what readers do with them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from playwright.sync_api import Locator, Page, expect
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from models.preprocessing.intensity import to_grey
from service.analyse.heatmap import encode_array, encode_png, shrink
from service.domain.findings import Agreement, Reasoning, Verdict
from tests.integration.web.conftest import OpenPage
from tests.support.api_server import Served
from tests.support.sample_findings import analysed, correction, label, skipped

SLOTS = {"1-280": ("L", "CC"), "1-281": ("L", "MLO"), "1-282": ("R", "CC"), "1-283": ("R", "MLO")}
"""Of the malignant case: file to side and view."""
ROW = ["R MLO", "L MLO", "R CC", "L CC"]
SQUARE = ["R CC", "L CC", "R MLO", "L MLO"]


@dataclass
class Exhibit:
    """A study of the site: its UID, and its images by slot."""

    study_instance_uid: str
    images: dict[str, Dataset]


def film(path: Path, study_instance_uid: str, mirrored: bool, patient_id: str, study_date: str, step: int = 4) -> Dataset:
    """A real film at a part of its resolution."""
    image = pydicom.dcmread(path)
    pixels = np.ascontiguousarray(image.pixel_array[::step, ::step])
    image.ImagerPixelSpacing = [0.05 * step, 0.05 * step]
    if mirrored:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.Rows, image.Columns, image.PixelData = *pixels.shape, pixels.tobytes()
    image["PixelData"].VR = "OW"
    image.StudyInstanceUID, image.SOPInstanceUID = study_instance_uid, generate_uid()
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.PatientName, image.PatientID, image.StudyDate = "Reader^Rosa", patient_id, study_date
    image.WindowCenter, image.WindowWidth = [30000, 25000], [60000, 20000]
    image.WindowCenterWidthExplanation = ["NORMAL", "HARD"]
    return image


def draw(site: Served, image: Dataset, wall_right: bool) -> None:
    """What an analysis draws: a preview, and one warm place near the chest wall, a third from the top."""
    shape = 256, round(256 * image.Columns / image.Rows)
    heat = np.zeros(shape, np.float32)
    cv2.circle(heat, (round(shape[1] * (0.8 if wall_right else 0.2)), shape[0] // 3), 30, 1.0, -1)
    warm = encode_array(cv2.GaussianBlur(heat, (0, 0), 12).astype(np.float32), (image.Rows, image.Columns))
    site.store.write_result(str(image.SOPInstanceUID), "heatmap.npz", warm)
    site.store.write_result(str(image.SOPInstanceUID), "preview.png", encode_png(shrink(to_grey(image.pixel_array, image))))


def exhibit(site: Served, paths: list[Path], date: str, without: str = "", mirror: str = "", again: str = "") -> Exhibit:
    """Receive a study and enter its answers: scores rise from slot to slot. `again` is there twice, the second time less surely."""
    study_instance_uid, images = generate_uid(), {}
    for place, path in enumerate(paths):
        side, view = SLOTS[path.stem]
        slot = f"{side} {view}"
        if slot == without:
            continue
        images[slot] = image = film(path, study_instance_uid, slot == mirror, "P-77", date, 2 if slot == "R CC" else 4)
        image.ImageLaterality, image.ViewPosition = side, "CC" if slot == "L MLO" else view
        assert site.post(image).status_code == 202
        wall_right = (side == "R") != (slot == mirror)
        finding = analysed(str(image.SOPInstanceUID), side, view, 0.2 + 0.1 * place)
        site.ledger.instances.record_finding(finding.model_copy(update={"chest_wall_right": wall_right}))
        draw(site, image, wall_right)
        if slot == again:
            second = film(path, study_instance_uid, False, "P-77", date, 8)
            site.post(second)
            sure = analysed(str(second.SOPInstanceUID), side, view, 0.1)
            site.ledger.instances.record_finding(sure.model_copy(update={"view": label(view, 0.8)}))
            draw(site, second, side == "R")
    wrong = correction(str(images["L MLO"].SOPInstanceUID), ("L", "CC"), ("L", "MLO"), Agreement.CONTRADICT, Agreement.AGREE)
    site.conclude(
        study_instance_uid, [wrong], Reasoning(verdict=Verdict.ONE_WRONG_LABEL, text="one image is declared CC, and its pixels show MLO")
    )
    return Exhibit(study_instance_uid, images)


@pytest.fixture(scope="module")
def current(site: Served, cbis_cases: dict[str, list[Path]]) -> Exhibit:
    """Four views, the left CC stored the wrong way round, the right MLO twice; a prior without a right CC."""
    paths = cbis_cases["sfm-malign-0"]
    exhibit(site, paths, "20240105", without="R CC")
    return exhibit(site, paths, "20260310", mirror="L CC", again="R MLO")


def open_study(open_page: OpenPage, study: Exhibit, role: str = "viewer") -> Page:
    page = open_page(f"/studies/{study.study_instance_uid}", role=role)
    for slot in study.images:
        expect(tile(page, slot)).to_have_attribute("data-ready", "1")
    return page


def tile(page: Page, slot: str, hang: str = "current") -> Locator:
    return page.locator(f"[data-hang={hang}] .tile").filter(has=page.locator(f".title:text-is('{slot}')"))


def titles(page: Page) -> list[str]:
    return page.locator("[data-hang=current] .tile .title").all_inner_texts()


def picture(page: Page, slot: str, hang: str = "current") -> np.ndarray[Any, Any]:
    """What a tile shows: (rows, columns, 3)."""
    canvas = tile(page, slot, hang).locator("canvas")
    drawn = canvas.evaluate("canvas => new Promise((done) => requestAnimationFrame(() => done(canvas.toDataURL())))")
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(drawn.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels.astype(np.float64)


def numbers(page: Page, slot: str) -> str:
    return tile(page, slot).locator(".numbers").inner_text()


def warmth(shown: np.ndarray[Any, Any]) -> float:
    """How much colour there is."""
    return float(np.ptp(shown, axis=2).mean())


def test_chest_walls_meet_in_the_middle_however_the_pixels_are_stored(open_page: OpenPage, current: Exhibit) -> None:
    page = open_study(open_page, current)
    assert titles(page) == ROW
    for slot in ROW:
        shown = picture(page, slot).mean(axis=(0, 2))
        edge = max(3, len(shown) // 6)
        inner, outer = (shown[-edge:], shown[:edge]) if slot.startswith("R") else (shown[:edge], shown[-edge:])
        assert inner.mean() > 2 * outer.mean() + 10
    extra = page.locator("#below .tile")
    expect(extra).to_contain_text("repeated view")
    extra.scroll_into_view_if_needed()
    expect(extra).to_have_attribute("data-ready", "1")
    page.get_by_label("Layout").select_option("square")
    assert titles(page) == SQUARE
    left, right = (tile(page, slot).bounding_box() for slot in ("R CC", "L CC"))
    assert left is not None
    assert right is not None
    assert abs(left["x"] + left["width"] - right["x"]) < 2


def test_what_was_found_stands_beside_the_pictures(open_page: OpenPage, current: Exhibit) -> None:
    page = open_study(open_page, current)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Reader, Rosa")
    assert "Reader" not in page.title()
    scores = page.locator("#scores")
    expect(scores).to_contain_text("Not for diagnosis")
    expect(scores.get_by_label("Left breast: 30 of 100, operating point 50")).to_be_visible()
    expect(scores.get_by_label("Study: 50 of 100, operating point 50")).to_be_visible()
    row = page.locator("#labels details").filter(has_text="L MLO")
    row.locator("summary").click()
    view = row.locator("tr[data-label=view]")
    assert view.inner_text().split()[:4] == ["View", "CC", "MLO", "99"]
    expect(view).to_contain_text("contradicts")
    expect(page.locator("#reasoning")).to_contain_text("declared CC, and its pixels show MLO")
    expect(page.locator("#models")).to_contain_text("mammotriage-cancer 2.1.0")
    assert page.locator("#models code").evaluate_all("codes => codes.map((each) => each.title)") == ["a" * 64, "b" * 64]
    expect(page.locator("#timeline")).to_contain_text("5 images received")
    expect(page.locator("#timeline")).to_contain_text("concluded, version 1")


def test_a_drag_sets_window_and_level_of_all_or_of_one(open_page: OpenPage, current: Exhibit) -> None:
    page = open_study(open_page, current)
    before = {slot: numbers(page, slot) for slot in ROW}
    assert before["R MLO"].endswith("W 60000 L 30000")
    drag(page, tile(page, "R MLO"), 60, -40)
    linked = {slot: numbers(page, slot) for slot in ROW}
    assert all(linked[slot] != before[slot] for slot in ROW)
    assert int(linked["R MLO"].split()[3]) > 60000
    page.keyboard.press("r")
    expect(tile(page, "R MLO").locator(".numbers")).to_have_text(before["R MLO"])
    page.keyboard.press("l")
    drag(page, tile(page, "R CC"), -60, 0)
    assert numbers(page, "R CC") != before["R CC"]
    assert numbers(page, "L CC") == before["L CC"]
    page.locator("#preset").select_option("HARD")
    expect(tile(page, "R CC").locator(".numbers")).to_contain_text("W 20000 L 25000")


def drag(page: Page, where: Locator, across: int, down: int, button: Any = "left") -> None:
    box = where.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + across, y + down, steps=3)
    page.mouse.up(button=button)
    settle(page)


def warm_up(page: Page, slot: str) -> None:
    """Switch the heat on, and wait for the map to be there."""
    page.keyboard.press("h")
    expect(tile(page, slot)).to_have_attribute("data-heat", "1")
    settle(page)


def settle(page: Page) -> None:
    """Let what was asked for be drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_the_heat_is_colour_or_lines_over_the_place_it_means(open_page: OpenPage, current: Exhibit) -> None:
    page = open_study(open_page, current)
    plain = picture(page, "L CC")
    assert warmth(plain) == 0
    warm_up(page, "L CC")
    expect(page.get_by_role("button", name="Heat", exact=True)).to_have_attribute("aria-pressed", "true")
    warm = picture(page, "L CC")
    rows, columns = np.nonzero(np.ptp(warm, axis=2) > 60)
    # The picture is stored mirrored: its warm place hangs at the left, at the chest wall.
    assert columns.mean() < 0.5 * warm.shape[1]
    assert rows.mean() < 0.5 * warm.shape[0]
    page.locator("#opacity").fill("0")
    assert warmth(picture(page, "L CC")) == 0
    page.locator("#opacity").fill("100")
    page.keyboard.press("c")
    assert 0 < warmth(picture(page, "L CC")) < warmth(warm)
    page.keyboard.press("c")
    assert np.array_equal(picture(page, "L CC"), plain)
    page.keyboard.press("i")
    inverted = picture(page, "L CC")
    inside = plain.mean(axis=2) > 30
    assert np.abs(plain[inside] + inverted[inside] - 255).mean() < 2


def test_a_closer_look_fetches_every_pixel(open_page: OpenPage, current: Exhibit) -> None:
    page = open_study(open_page, current)
    page.keyboard.press("3")
    expect(tile(page, "R MLO")).to_be_hidden()
    page.keyboard.press("f")
    expect(tile(page, "R CC")).to_have_attribute("data-resolution", "full")
    assert numbers(page, "R CC").startswith("full · 100 %")
    shown, stored = picture(page, "R CC").mean(axis=2), current.images["R CC"].pixel_array
    # The middle of the tile shows pixels of the file, one for one.
    template = shown[200:260, 200:260].astype(np.float32)
    grey = np.clip((stored - 30000.0) / 60000 + 0.5, 0, 1).astype(np.float32) * 255
    assert cv2.matchTemplate(grey, template, cv2.TM_CCOEFF_NORMED).max() > 0.99
    page.keyboard.press("Escape")
    expect(tile(page, "R MLO")).to_be_visible()
    before = numbers(page, "L MLO")
    tile(page, "L CC").hover()
    page.mouse.wheel(0, 200)
    settle(page)
    assert numbers(page, "L MLO") != before


def test_without_webgl_the_picture_is_the_same(open_page: OpenPage, current: Exhibit) -> None:
    page = open_study(open_page, current)
    expect(page.locator("#stage")).to_have_attribute("data-painter", "WebGL 2")
    for slot in ("L CC", "R MLO"):
        expect(tile(page, slot)).to_have_attribute("data-heat", "1")
    page.keyboard.press("h")
    shaded = {slot: picture(page, slot) for slot in ("L CC", "R MLO")}
    page.add_init_script(
        """const given = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
          return kind === "webgl2" ? null : given.call(this, kind, ...rest);
        };"""
    )
    page.reload()
    for slot in shaded:
        expect(tile(page, slot)).to_have_attribute("data-ready", "1")
    expect(page.locator("#stage")).to_have_attribute("data-painter", "canvas")
    page.keyboard.press("h")
    for slot, shown in shaded.items():
        expect(tile(page, slot)).to_have_attribute("data-heat", "1")
        # One averages what a pixel of the screen covers, the other takes the nearest.
        assert np.median(np.abs(picture(page, slot) - shown)) < 6


def test_a_prior_hangs_below_with_its_missing_view(open_page: OpenPage, current: Exhibit) -> None:
    page = open_study(open_page, current)
    page.keyboard.press("p")
    expect(tile(page, "L MLO", "prior")).to_have_attribute("data-ready", "1")
    expect(tile(page, "R CC", "prior")).to_contain_text("no image")
    expect(page.locator("[data-hang=prior] h2")).to_have_text("Prior, 2024-01-05")
    page.keyboard.press("p")
    expect(page.locator("[data-hang=prior]")).to_have_count(0)


def test_a_reader_says_what_is_right_and_may_change_their_mind(open_page: OpenPage, site: Served, current: Exhibit) -> None:
    page = open_study(open_page, current)
    row = page.locator("#labels details").filter(has_text="R CC")
    row.locator("summary").click()
    row.get_by_role("button", name="density is right").click()
    expect(row.get_by_text("you: agree")).to_be_visible()
    row.get_by_role("button", name="density is wrong").click()
    row.get_by_label("right density").select_option("D")
    row.get_by_label("note").fill("very dense")
    row.get_by_role("button", name="Save").click()
    expect(row.get_by_text("you: wrong, D")).to_be_visible()
    (opinion,) = [each for each in site.ledger.feedback.find(current.study_instance_uid) if each.label == "density"]
    assert (opinion.predicted_value, opinion.corrected_value, opinion.note, opinion.actor) == ("B", "D", "very dense", "vera")


def test_an_image_that_was_not_analysed_says_why_and_a_study_in_work_comes_by_itself(
    open_page: OpenPage, site: Served, cbis_cases: dict[str, list[Path]]
) -> None:
    study_instance_uid = generate_uid()
    path = cbis_cases["sfm-malign-0"][0]
    image = film(path, study_instance_uid, False, "", "20260310")
    site.post(image)
    page = open_page(f"/studies/{study_instance_uid}")
    expect(page.locator("#answer")).to_contain_text("in work: 0 of 1")
    expect(page.locator("#live")).to_contain_text("live")
    site.ledger.instances.record_finding(skipped(str(image.SOPInstanceUID), "for-processing", "a raw image for processing"))
    site.conclude(study_instance_uid)
    expect(page.locator("#labels")).to_contain_text("not analysed")
    page.locator("#labels summary").click()
    expect(page.locator("#labels")).to_contain_text("a raw image for processing")


def test_the_geometry_turns_pictures_as_the_hanging_api_says(open_page: OpenPage, current: Exhibit) -> None:
    """First the rotation clockwise, then the flip: every stored pixel is found where numpy puts it."""
    page = open_page(f"/studies/{current.study_instance_uid}")
    stored = np.arange(6).reshape(2, 3)
    for flip, degrees in product((False, True), (0, 90, 180, 270)):
        rotated = np.rot90(stored, -degrees // 90)
        hung = rotated[:, ::-1] if flip else rotated
        found = page.evaluate(
            """async ({ flip, degrees, rows, columns }) => {
                const { fromHung, apply } = await import("/static/js/study/geometry.js");
                const map = fromHung({ image_rotation: degrees, image_horizontal_flip: flip });
                return Array.from({ length: rows }, (_, y) => Array.from({ length: columns }, (_, x) => {
                    const [u, v] = apply(map, (x + 0.5) / columns, (y + 0.5) / rows);
                    return Math.floor(v * 2) * 3 + Math.floor(u * 3);
                }));
            }""",
            {"flip": flip, "degrees": degrees, "rows": hung.shape[0], "columns": hung.shape[1]},
        )
        assert found == hung.tolist(), (flip, degrees)
