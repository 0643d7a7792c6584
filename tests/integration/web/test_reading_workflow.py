"""From the worklist to the corrected image in an archive: a radiologist's way through a real stack with real studies and a real Orthanc."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from service.domain.access import Role
from service.domain.policy import CorrectionPolicy
from tests.support.browser import Complaints
from tests.support.browser_sign_in import DISPLAY_NAME, open_signed_in
from tests.support.full_stack import FullStack, open_full_stack
from tests.support.sample_worklist import MALIGNANT, SampleStudy, make_study, one_view_wrong

TIMEOUT_MS = 300_000


@pytest.fixture(scope="module")
def full_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullStack]:
    with open_full_stack(tmp_path_factory.mktemp("full_stack"), {"corrections": CorrectionPolicy(film=True)}) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, full_stack: FullStack) -> Iterator[Page]:
    complaints = Complaints()
    with open_signed_in(browser, full_stack.settings, Role.APPROVER) as context:
        context.set_default_timeout(TIMEOUT_MS)
        opened = context.new_page()
        complaints.listen(opened)
        yield opened
    assert complaints.found == []


def test_a_wrong_label_is_seen_approved_and_right_in_the_archive(
    page: Page, full_stack: FullStack, cbis_cases: dict[str, list[Path]], tmp_path: Path
) -> None:
    sample = SampleStudy(MALIGNANT, "Curie^Marie", "T-1001", "20261121", one_view_wrong)
    study, paths = make_study(sample, cbis_cases, tmp_path)

    # The worklist is open before the study comes: it appears, and gets its answer, without a reload.
    page.goto("/")
    full_stack.route(paths)
    row = page.locator(f'tr[data-uid="{study}"]')
    expect(row).to_contain_text("Curie, Marie")
    expect(row).to_contain_text("contradict")
    expect(row.locator(".flag")).to_contain_text("routine")
    full_stack.wait_delivered(study)

    row.get_by_role("link").click()
    page.wait_for_url(f"**/studies/{study}")
    expect(page.locator("#stage .tile[data-ready]")).to_have_count(4)
    before = page.locator("#stage").screenshot()
    page.keyboard.press("h")
    expect(page.locator("#heat")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#stage .tile[data-heat]")).to_have_count(4)
    page.wait_for_timeout(200)  # the next frame draws it
    assert page.locator("#stage").screenshot() != before, "the heatmap colours the picture"

    page.locator("#reasoning").get_by_role("link", name="1 correction").click()
    page.wait_for_url("**/corrections**")
    page.get_by_label("Reason").fill("the pectoral muscle is plain to see")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#record")).to_contain_text("verified")

    corrected = full_stack.fetch(study, "corrected")
    assert [(image.ImageLaterality, image.ViewPosition) for image in corrected] == [("L", "MLO")]
    (correction,) = full_stack.study(study)["corrections"]
    assert (correction["state"], correction["decided_by"]) == ("verified", DISPLAY_NAME)
