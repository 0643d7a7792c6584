"""The worklist in a browser: found, narrowed, opened, by mouse and by keyboard, and never older than what happened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from benchmarks.worklist import seed
from service.api.auth.cookies import cookie_name
from service.domain.findings import Agreement
from tests.integration.web.conftest import TIMEOUT_MS, OpenPage
from tests.support.api_server import Served, serve_api
from tests.support.browser import WIDE
from tests.support.sample_findings import analysed, correction, full_field

SEARCH = "**/api/v1/studies/search"
MANY = 450
STEP = """async () => {
  const scroller = document.querySelector("#scroller");
  const uids = [...scroller.querySelectorAll("tr[data-uid]")].map((line) => line.dataset.uid);
  scroller.scrollTop += 700;
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  const rest = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
  const loading = scroller.querySelector("table").getAttribute("aria-rowcount") === "-1";
  if (rest < 1 && !loading) uids.push(...[...scroller.querySelectorAll("tr[data-uid]")].map((line) => line.dataset.uid));
  return [uids, rest < 1 && !loading];
}"""
"""One screen down, what is in the document above it, and whether this is the end."""


def receive(site: Served, name: str, station: str = "M1") -> str:
    image = full_field()
    image.PatientName, image.PatientID, image.StationName = name, "T-1", station
    assert site.post(image).status_code == 202
    return str(image.StudyInstanceUID)


def conclude(site: Served, study_instance_uid: str, score: float, wrong: bool = False) -> None:
    (image,) = site.ledger.instances.of_study(study_instance_uid)
    site.ledger.instances.record_finding(analysed(image.sop_instance_uid, "R", "CC", score))
    view = Agreement.CONTRADICT if wrong else Agreement.AGREE
    declared = ("R", "MLO" if wrong else "CC")
    found = correction(image.sop_instance_uid, declared, ("R", "CC"), view=view, laterality=Agreement.AGREE)
    site.conclude(study_instance_uid, [found])


@contextmanager
def reading(browser: Browser, site: Served) -> Iterator[Page]:
    """A page before it is opened; what the browser complains of does not count."""
    address = site.settings.public_api_url
    context = browser.new_context(base_url=address, viewport=WIDE)
    context.add_cookies([{"name": cookie_name(site.settings), "value": site.sign_in("viewer").token, "url": address}])
    context.set_default_timeout(TIMEOUT_MS)
    yield context.new_page()
    context.close()


def names(page: Page) -> list[str]:
    return page.locator("#studies td.name a").all_inner_texts()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_api(tmp_path_factory.mktemp("site")) as served:
        for name, score, wrong, station in (("Routine^Rita", 0.1, False, "M1"), ("Suspect^Susi", 0.9, True, "M2")):
            conclude(served, receive(served, name, station), score, wrong)
        receive(served, "<b>Mallory</b>^Eve")
        yield served


def test_each_line_says_whose_study_it_is_and_what_was_found_suspicious_first(open_page: OpenPage) -> None:
    page = open_page("/")
    expect(page.locator("#studies td.name a")).to_have_count(3)
    assert names(page) == ["Suspect, Susi", "Routine, Rita", "<b>Mallory</b>, Eve"]
    first = page.locator("#studies tbody tr").first
    cells = [re.sub(r"\s+", " ", text).strip() for text in first.locator("td").all_inner_texts()]
    assert cells[1:4] == ["T-1", "66", "2026-03-05"]
    assert cells[6:11] == ["▲ suspicious", "90", "–", "C", "✗ contradict"]
    assert cells[12] == "M2"


def test_filters_narrow_the_list_and_stand_in_the_address_but_what_was_searched_does_not(open_page: OpenPage) -> None:
    page = open_page("/")
    page.get_by_label("Labels").select_option("contradict")
    expect(page.locator("#count")).to_have_text("1 study")
    assert page.url.endswith("/#agreement=contradict")
    page.reload()
    expect(page.locator("#count")).to_have_text("1 study")
    assert names(page) == ["Suspect, Susi"]
    page.get_by_label("Search").fill("rita")
    expect(page.get_by_text("No study fits these filters.")).to_be_visible()
    page.get_by_role("button", name="Show all studies").click()
    expect(page.locator("#count")).to_have_text("3 studies")
    page.get_by_label("Search").fill("rita routine")
    expect(page.locator("#count")).to_have_text("0 studies")
    page.get_by_label("Search").fill("routine^r")
    expect(page.locator("#count")).to_have_text("1 study")
    assert page.evaluate("document.querySelectorAll('#studies td.name a').length") == 1
    assert "ita" not in page.url and page.evaluate("JSON.stringify(sessionStorage) + JSON.stringify(localStorage)").find("rout") < 0


def test_the_whole_list_works_by_keyboard(open_page: OpenPage) -> None:
    page = open_page("/")
    expect(page.locator("#studies td.name a")).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#studies tr[aria-current] a")).to_be_focused()
    assert page.locator("#studies tr[aria-current]").get_by_role("link").inner_text() == "Routine, Rita"
    page.keyboard.press("k")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("next study")
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    assert page.locator("#studies tr[aria-current]").get_by_role("link").inner_text() == "Suspect, Susi"
    page.keyboard.press("/")
    page.keyboard.type("jk?")
    expect(page.get_by_label("Search")).to_have_value("jk?")
    page.get_by_label("Search").fill("rita")
    page.get_by_label("Search").fill("")
    expect(page.locator("#studies td.name a")).to_have_count(3)
    page.keyboard.press("Escape")
    uid = page.locator("#studies tr[aria-current]").get_attribute("data-uid")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/studies/{uid}")


def test_a_click_anywhere_on_a_line_opens_the_study_and_the_way_back_leads_to_it(open_page: OpenPage) -> None:
    page = open_page("/#order=received")
    line = page.locator("#studies tbody tr", has_text="Rita")
    uid = line.get_attribute("data-uid")
    line.locator("td.station").click()
    page.wait_for_url(f"**/studies/{uid}")
    page.go_back()
    expect(page.locator("#studies tr[aria-current]")).to_have_attribute("data-uid", uid or "")


def test_a_line_changes_where_it_stands_and_what_is_new_waits_while_somebody_reads(open_page: OpenPage, site: Served) -> None:
    waiting = receive(site, "Later^Lena")
    page = open_page("/")
    line = page.locator(f"#studies tr[data-uid='{waiting}']")
    expect(line).to_contain_text("0/1 images")
    expect(page.locator("#live")).to_contain_text("live")
    page.clock.set_fixed_time(page.evaluate("Date.now()"))  # so that the page never finds the mouse idle
    page.mouse.move(600, 400)
    before = names(page)
    conclude(site, waiting, 0.95)
    expect(line).to_contain_text("▲ suspicious")
    assert names(page) == before
    receive(site, "Newest^Nora")
    expect(page.locator("#news")).to_have_text("1 new study: show (n)")
    assert names(page) == before
    page.keyboard.press("n")
    expect(page.locator("#studies tr[aria-current]")).to_contain_text("Newest, Nora")
    assert names(page)[0] == "Later, Lena" and names(page)[-1] == "Newest, Nora"
    expect(page.locator("#news")).to_be_hidden()


def test_a_list_that_nobody_touches_sorts_itself_and_counts_images_as_they_are_analysed(browser: Browser, site: Served) -> None:
    with reading(browser, site) as page:
        page.clock.install()
        page.goto("/#state=receiving")
        expect(page.locator("#live")).to_contain_text("live")
        study_instance_uid = receive(site, "Quiet^Quirin")
        # While the pointer moves, the page waits for its reader; its own clock must not decide before the test has looked.
        for step in range(600):
            page.mouse.move(5 + step % 50, 5)
            page.clock.run_for(800)
            if page.locator("#news").is_visible():
                break
            page.wait_for_timeout(50)
        else:
            pytest.fail("the new study was never offered")
        page.clock.fast_forward(11_000)
        line = page.locator(f"#studies tr[data-uid='{study_instance_uid}']")
        expect(line).to_contain_text("0/1 images")
        expect(page.locator("#news")).to_be_hidden()
        (image,) = site.ledger.instances.of_study(study_instance_uid)
        site.ledger.instances.record_finding(analysed(image.sop_instance_uid, "R", "CC", 0.2))
        page.clock.fast_forward(11_000)
        expect(line).to_contain_text("1/1 images")


def test_a_list_that_cannot_be_read_says_so_and_can_be_asked_for_again(browser: Browser, site: Served) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=422, content_type="application/problem+json", body='{"detail": "the ledger is being moved"}')

    with reading(browser, site) as page:
        page.goto("/")
        expect(page.locator("#studies td.name a").first).to_be_visible()
        page.route(SEARCH, refuse)
        page.get_by_label("Order").select_option("received")
        expect(page.get_by_text("The worklist could not be read: the ledger is being moved")).to_be_visible()
        page.unroute(SEARCH)
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_text("could not be read")).to_be_hidden()
        expect(page.locator("#studies td.name a").first).to_be_visible()


class TestManyStudies:
    @pytest.fixture
    def site(self, tmp_path: Path) -> Iterator[Served]:
        url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        seed(url, MANY, datetime.now(UTC))
        with serve_api(tmp_path, database_url=url) as served:
            yield served

    def test_every_study_is_reached_by_scrolling_and_few_lines_are_in_the_document(self, open_page: OpenPage) -> None:
        page = open_page("/")
        expect(page.locator("#count")).to_have_text("100 studies loaded, more below")
        seen: set[str] = set()
        drawn, bottom = 0, False
        while not bottom:
            uids, bottom = page.evaluate(STEP)
            drawn = max(drawn, len(uids))
            seen.update(uids)
        assert page.locator("#count").inner_text() == f"{MANY} studies"
        assert len(seen) == MANY
        assert drawn < 100
