"""A browser for all web tests of a process, and pages of a served site in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from service.api.auth.cookies import cookie_name
from tests.support.api_server import Served, serve_api
from tests.support.browser import WIDE, Complaints, find_chromium, open_browser

TIMEOUT_MS = 60_000
"""Only a guard: on a busy machine a page may be slow."""
OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.skip("no browser here: apt-get install chromium")
    expect.set_options(timeout=TIMEOUT_MS)
    with open_browser(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The site on a real socket, shared by the tests of a module."""
    with serve_api(tmp_path_factory.mktemp("site")) as served:
        yield served


@pytest.fixture
def open_page(browser: Browser, site: Served) -> Iterator[OpenPage]:
    """Open a path of the site signed in; the test fails at its end where the page complained."""
    contexts, complaints = [], Complaints()

    def open_path(path: str = "/", role: str = "admin", theme: str = "dark") -> Page:
        context = browser.new_context(base_url=site.settings.public_api_url, viewport=WIDE, reduced_motion="reduce")
        contexts.append(context)
        token, url = site.sign_in(role).token, site.settings.public_api_url
        context.add_cookies([{"name": cookie_name(site.settings), "value": token, "url": url}])
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        complaints.listen(page)
        page.goto(path)
        return page

    yield open_path
    for context in contexts:
        context.close()
    assert complaints.found == []
