"""Every page has its name, its navigation, two themes, and no complaint."""

from __future__ import annotations

import pytest

from tests.integration.web.conftest import OpenPage
from tests.support.api_server import Served

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


def test_who_goes_astray_is_told_so_on_a_page_and_software_by_a_problem(site: Served) -> None:
    with site.person("viewer") as client:
        for path, status, words in (
            ("/no-such-page", 404, "Not Found"),
            ("/access", 403, "needs the scope"),
            ("/studies/no-uid", 422, "wrong"),
        ):
            page = client.get(path, headers={"Accept": "text/html"})
            assert page.status_code == status and words in page.text and "To the worklist" in page.text
            problem = client.get(path, headers={"Accept": "application/json"})
            assert (problem.status_code, problem.headers["content-type"]) == (status, "application/problem+json")
