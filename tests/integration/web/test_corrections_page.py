"""A person goes through the queue, sees what speaks for and against a change, and decides with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from service.domain.findings import CorrectionState, Evidence
from service.store.corrections import CorrectionRow
from tests.integration.web.conftest import OpenPage
from tests.support.api_server import Served, serve_api
from tests.support.eventually import eventually
from tests.support.mislabelled_studies import PACS, SIGNED, add_contradicted_study, add_swapped_study
from tests.support.received_study import picture


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A site with a destination that takes corrections."""
    with serve_api(tmp_path_factory.mktemp("corrections"), destinations=(PACS,)) as served:
        yield served


def draw(site: Served, study_instance_uid: str) -> None:
    """Give a study's images their pictures, as a worker would."""
    for row in site.ledger.instances.of_study(study_instance_uid):
        for name in ("preview.png", "heatmap.png"):
            site.store.write_result(row.sop_instance_uid, name, picture())


def waiting(site: Served, evidence: tuple[Evidence, ...] = (), blocked_reason: str = "") -> int:
    number = add_contradicted_study(site, evidence=evidence, blocked_reason=blocked_reason)
    draw(site, row_of(site, number).study_instance_uid)
    return number


def row_of(site: Served, number: int) -> CorrectionRow:
    row = site.ledger.corrections.get(number)
    assert row is not None
    return row


def settle(site: Served, number: int, state: CorrectionState) -> None:
    """Wait until the ledger holds the decision that was made on the page."""
    eventually(lambda: row_of(site, number).state is state, what=f"correction {number} becomes {state}")


def test_a_correction_is_approved_by_keyboard_alone_and_the_next_one_comes_up(site: Served, open_page: OpenPage) -> None:
    first, second = waiting(site, evidence=(Evidence(code="marker", text="the lead marker says MLO"),)), waiting(site)
    page = open_page(f"/corrections#{first}", role="approver")
    expect(page.locator(".labels .right")).to_have_text("MLO")
    expect(page.get_by_text("the lead marker says MLO")).to_be_visible()
    expect(page.get_by_role("heading", name="Phantom, Äußerst")).to_be_visible()
    expect(page.get_by_text("Signed as Anna Approver")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("seen in the picture")
    page.keyboard.press("Enter")
    settle(site, first, CorrectionState.APPROVED)
    row = row_of(site, first)
    assert (row.decided_by, row.decided_reason) == ("Anna Approver", "seen in the picture")
    expect(page.locator(".item[aria-current]")).to_have_attribute("href", f"#{second}")
    expect(page.get_by_label("Reason")).to_have_value("")
    page.keyboard.press("x")
    page.keyboard.type("the header is right")
    page.keyboard.press("Enter")
    settle(site, second, CorrectionState.REJECTED)
    expect(page.get_by_text("Nothing waits for a decision.")).to_be_visible()


def test_what_was_written_is_undone_from_its_history(site: Served, open_page: OpenPage) -> None:
    number = waiting(site)
    with site.person("approver") as anna:
        anna.post(f"/api/v1/corrections/{number}/approve", json={"reason": "because"})
    site.deliver(site.ledger.deliveries.find(correction_id=number)[0].id)
    page = open_page(f"/corrections#{number}", role="approver")
    expect(page.locator("#record")).to_contain_text("corrected image")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    page.keyboard.press("u")
    page.keyboard.type("the marker was right")
    page.get_by_role("button", name="Undo").click()
    settle(site, number, CorrectionState.REVERTING)
    expect(page.locator("#record")).to_contain_text("former labels")


def test_who_may_only_look_has_no_buttons(site: Served, open_page: OpenPage) -> None:
    number = waiting(site)
    page = open_page(f"/corrections#{number}", role="viewer")
    expect(page.locator(".labels")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator("#decision")).to_be_hidden()
    page.keyboard.press("h")
    expect(page.locator(".picture img")).to_have_attribute("src", f"/api/v1/instances/{row_of(site, number).sop_instance_uid}/heatmap.png")
    assert row_of(site, number).state is CorrectionState.PROPOSED


def test_what_nobody_may_apply_can_only_be_rejected_and_says_why(site: Served, open_page: OpenPage) -> None:
    page = open_page(f"/corrections#{waiting(site, blocked_reason='the breast has an implant')}", role="approver")
    expect(page.locator(".blocked-reason")).to_contain_text("the breast has an implant")
    expect(page.get_by_role("button", name="Reject")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_a_held_study_is_released_with_a_reason(site: Served, open_page: OpenPage) -> None:
    study_instance_uid = add_swapped_study(site)
    draw(site, study_instance_uid)
    page = open_page("/corrections", role="approver")
    page.get_by_label("Show").select_option("held")
    expect(page.locator("#detail .panel").first).to_contain_text("every image shows the other side")
    page.get_by_label("Reason").fill("checked with the technologist")
    page.get_by_role("button", name="Release the study").click()
    expect(page.get_by_text("No study is held.")).to_be_visible()
    hold = site.ledger.holds.get(study_instance_uid)
    assert hold is not None and hold.released_by == "Anna Approver"


def test_what_another_person_decides_leaves_the_queue_by_itself_and_a_reason_in_writing_stays(site: Served, open_page: OpenPage) -> None:
    mine, theirs = waiting(site), waiting(site)
    page = open_page(f"/corrections#{mine}", role="approver")
    expect(page.locator(f".item[href='#{theirs}']")).to_be_visible()
    expect(page.locator("#live")).to_contain_text("live")
    page.get_by_label("Reason").fill("half a sent")
    with site.person("admin") as ada:
        assert ada.post(f"/api/v1/corrections/{theirs}/reject", json={"reason": "because"}).status_code == 200
    expect(page.locator(f".item[href='#{theirs}']")).to_have_count(0)
    expect(page.get_by_label("Reason")).to_have_value("half a sent")


def test_all_corrections_of_a_study_are_an_address(site: Served, open_page: OpenPage) -> None:
    number = waiting(site)
    row = row_of(site, number)
    waiting(site)
    page = open_page(f"/corrections#study={row.study_instance_uid}", role="approver")
    expect(page.locator(".item")).to_have_count(1)
    expect(page.locator(".item")).to_have_attribute("href", f"#{number}")
    page.get_by_role("link", name="Show every study").click()
    expect(page.locator(".item").nth(1)).to_be_visible()


def test_where_signing_in_is_off_the_form_asks_for_a_name_and_a_decision_too_late_is_refused_in_words(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serve_api(tmp_path_factory.mktemp("open"), destinations=(PACS,), sign_in="off") as open_site:
        number = waiting(open_site)
        context = browser.new_context(base_url=open_site.settings.public_api_url)
        page = context.new_page()
        page.goto(f"/corrections#{number}")
        page.get_by_label("Reason").fill("seen in the picture")
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_label("Your name")).to_be_focused()
        page.keyboard.type("Dr. A. Jones")
        page.keyboard.press("Enter")
        settle(open_site, number, CorrectionState.APPROVED)
        assert row_of(open_site, number).decided_by == "Dr. A. Jones"
        late = waiting(open_site)
        page.goto(f"/corrections#{late}")
        page.get_by_label("Your name").fill("Dr. A. Jones")
        page.get_by_label("Reason").fill("seen in the picture")
        # The page reads nothing more, neither the correction nor the list: it must not learn of the rejection before the click.
        page.route(re.compile(r"/api/v1/(corrections|holds|events)\b"), lambda route: route.request.method == "GET" or route.continue_())
        open_site.client.post(f"/api/v1/corrections/{late}/reject", json=SIGNED)
        page.get_by_role("button", name="Approve").click()
        expect(page.locator("#notices")).to_contain_text("rejected")
        expect(page.get_by_label("Reason")).to_have_value("seen in the picture")
        context.close()
