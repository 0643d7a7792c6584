"""Every page has its name, its navigation, two themes, and no complaint."""

from __future__ import annotations

import pytest

from tests.web.conftest import OpenPage

PAGES = {"/": "Worklist", "/corrections": "Corrections", "/operations": "Operations", "/quality": "Quality"}


@pytest.mark.parametrize(("path", "name"), PAGES.items(), ids=PAGES.values())
def test_a_page_says_where_one_is(open_page: OpenPage, path: str, name: str) -> None:
    page = open_page(path)
    assert name in page.title()
    assert page.locator("nav a[aria-current=page]").inner_text() == name


def test_a_page_is_dark_until_somebody_wants_light(open_page: OpenPage) -> None:
    page = open_page("/")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.get_by_role("button", name="Light").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
