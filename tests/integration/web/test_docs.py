"""The API's documentation in a browser: every operation is there, with its example, without a network beyond our own server."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.integration.web.conftest import OpenPage
from tests.support.api_server import Served


def test_the_documentation_shows_every_operation(open_page: OpenPage, site: Served) -> None:
    page = open_page("/docs")
    page.locator("#operations:not([aria-busy])").wait_for()
    described = [
        f"{method.upper()} {path}" for path, methods in site.client.get("/openapi.json").json()["paths"].items() for method in methods
    ]
    names = "all => all.map(each => `${each.querySelector('.method').textContent} ${each.querySelector('.path').textContent}`)"
    shown = page.locator(".operation").evaluate_all(names)
    assert sorted(shown) == sorted(described)


def test_an_operation_opens_by_keyboard_and_shows_parameters_and_examples(open_page: OpenPage) -> None:
    page = open_page("/docs")
    page.get_by_label("Find").fill("get hanging prefer")
    page.get_by_text("1 operations").wait_for()
    summary = page.locator(".operation:visible > summary")
    summary.focus()
    summary.press("Enter")
    opened = page.locator(".operation[open]")
    expect(opened).to_contain_text("wait=N")
    assert '"status": "provisional"' in opened.inner_text()
    assert "image_horizontal_flip" in opened.inner_text()
    assert "urn:mammotriage:problem:unknown-study" in opened.inner_text()
