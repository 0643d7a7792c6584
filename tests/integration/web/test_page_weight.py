"""What a page costs before its pictures: documents, styles, scripts and the first answers of the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.routing import iter_route_contexts
from playwright.sync_api import Browser, Response

from service.api.auth.cookies import cookie_name
from tests.support.api_server import FOUR_VIEWS, Served, serve_api
from tests.support.browser import WIDE
from tests.support.sample_findings import full_field

HEAVIEST = 300_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_api(tmp_path_factory.mktemp("site")) as served:
        study_instance_uid = "2.25.1"
        images = [full_field(side, view, study_instance_uid=study_instance_uid) for side, view in FOUR_VIEWS]
        served.post(*images)
        for image, (side, view) in zip(images, FOUR_VIEWS, strict=True):
            served.answer(image, side, view)
        served.conclude(study_instance_uid)
        yield served


def pages(site: Served) -> list[str]:
    """Paths of all pages, out of the application: a new page is weighed without being named here."""
    ours = [context for context in iter_route_contexts(site.site.routes) if _module(context.original_route).startswith("service.web")]
    paths = {(context.path or "").replace("{study_instance_uid}", "2.25.1") for context in ours if "GET" in (context.methods or ())}
    with site.person() as client:
        answers = {path: client.get(path, headers={"Accept": "text/html"}) for path in paths if "{" not in path}
    return sorted(path for path, got in answers.items() if got.is_success and got.headers["content-type"].startswith("text/html"))


def _module(route: object) -> str:
    return getattr(getattr(route, "endpoint", None), "__module__", "")


def test_no_page_weighs_more_than_300_kilobytes_without_its_pictures(browser: Browser, site: Served) -> None:
    weighed: dict[str, int] = {}
    address = site.settings.public_api_url
    context = browser.new_context(base_url=address, viewport=WIDE)
    context.add_cookies([{"name": cookie_name(site.settings), "value": site.sign_in().token, "url": address}])
    for path in pages(site):
        page = context.new_page()
        got: list[Response] = []

        def keep(response: Response, got: list[Response] = got) -> None:
            got.append(response)

        page.on("response", keep)
        page.goto(path)
        page.wait_for_timeout(500)
        kinds = {"document", "stylesheet", "script", "fetch", "xhr"}
        weighed[path] = sum(len(each.body()) for each in got if each.request.resource_type in kinds and each.ok and not is_picture(each))
        page.close()
    context.close()
    assert {"/", "/studies/2.25.1", "/corrections", "/operations", "/quality"} <= set(weighed)
    assert {path: weight for path, weight in weighed.items() if weight > HEAVIEST} == {}, weighed


def is_picture(response: Response) -> bool:
    return "json" not in response.headers.get("content-type", "") and "/api/" in response.url
