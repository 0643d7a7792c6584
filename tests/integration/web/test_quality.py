"""The page quality: the query is in its address, and what is shown is what the API answers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.quality import seed
from tests.integration.web.conftest import OpenPage
from tests.support.api_server import Served, serve_api

LAST = datetime(2026, 11, 22, tzinfo=UTC)
QUARTER = "#from=2026-08-24&to=2026-11-21"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served site with a year of images, some of which readers spoke of."""
    with serve_api(tmp_path_factory.mktemp("site")) as served:
        seed(served.settings.ledger_url, 4000, LAST)
        yield served


def open_quality(open_page: OpenPage, fragment: str = QUARTER) -> Page:
    page = open_page(f"/quality{fragment}")
    expect(page.locator("#figures")).to_be_visible()
    return page


def test_the_figures_are_those_of_the_api(open_page: OpenPage, site: Served) -> None:
    page = open_quality(open_page)
    answer = site.client.get("/api/v1/quality", params={"from": "2026-08-24", "to": "2026-11-21"}).json()
    expect(page.locator("#said")).to_contain_text(f"{answer['total']['images']} images ended from 2026-08-24 to 2026-11-21")
    disagree = answer["total"]["disagree"]
    expect(page.locator("#summary")).to_contain_text(f"{disagree['count']} of {disagree['of']}")
    rows = page.locator("#groups tbody tr")
    expect(rows).to_have_count(len(answer["groups"]))
    expect(rows.first).to_contain_text(answer["groups"][0]["group"])
    for plot in ("disagree-time", "missing-time", "skipped-time", "images-time", "scores", "densities", "readers", "readers-time"):
        expect(page.locator(f"#{plot} svg[role=img]")).to_be_visible()
    expect(page.locator("#reasons")).to_contain_text("magnification")
    expect(page.locator("#readers-tables")).to_contain_text("mammotriage-labeler 1.0.0")


def test_a_group_is_chosen_by_keyboard_and_stands_in_the_address(open_page: OpenPage) -> None:
    page = open_quality(open_page)
    name = page.locator("#groups tbody button").nth(1).inner_text()
    page.locator("#groups tbody button").nth(1).focus()
    page.keyboard.press("Enter")
    chosen = page.get_by_role("button", name=name, pressed=True)
    expect(chosen).to_be_focused()
    assert f"only={name}" in page.url
    expect(page.get_by_role("combobox", name="Only")).to_have_value(name)
    page.reload()
    expect(page.get_by_role("button", name=name, pressed=True)).to_be_visible()
    page.get_by_role("button", name=name).press("Enter")
    expect(page.get_by_role("button", name=name, pressed=False)).to_be_visible()
    assert "only=" not in page.url


def test_rates_and_feedback_are_taken_home_as_csv(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_quality(open_page, f"{QUARTER}&bucket=month")
    page.get_by_role("combobox", name="Grouped by").select_option("manufacturer")
    expect(page.get_by_role("columnheader", name="Manufacturer")).to_be_visible()
    kept = {}
    for link in ("Rates as CSV", "Feedback as CSV"):
        with page.expect_download() as download:
            page.get_by_role("link", name=link).click()
        download.value.save_as(tmp_path / download.value.suggested_filename)
        with (tmp_path / download.value.suggested_filename).open(encoding="utf-8", newline="") as file:
            kept[download.value.suggested_filename] = list(csv.DictReader(file))
    assert {line["group"] for line in kept["quality.csv"]} == {"Acme", "Beta Medical", "Gamma"}
    assert {line["start"] for line in kept["quality.csv"]} == {f"2026-{month:02}-01" for month in (8, 9, 10, 11)}
    assert {line["label"] for line in kept["feedback.csv"]} <= {"view", "density"}


def test_no_images_and_a_wrong_question_are_said_in_words(open_page: OpenPage) -> None:
    page = open_quality(open_page, "#from=2020-01-01&to=2020-02-01")
    expect(page.locator("#said")).to_contain_text("0 images")
    expect(page.locator("#groups")).to_contain_text("No image ended within these days.")
    expect(page.locator("#scores-said")).to_contain_text("too few images")
    page.locator("input[name=from]").fill((LAST + timedelta(days=900)).date().isoformat())
    page.locator("input[name=from]").dispatch_event("change")
    expect(page.locator("#said")).to_contain_text("the first day of a period must not be after its last")
