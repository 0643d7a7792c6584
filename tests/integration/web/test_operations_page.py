"""A PACS administrator sees what is stuck and why, and has it tried again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from service.domain.findings import DeliveryState, InstanceState
from tests.integration.web.conftest import OpenPage
from tests.support.api_server import Served, serve_api
from tests.support.mislabelled_studies import PACS, add_contradicted_study
from tests.support.sample_findings import CANCER, LABELER, full_field, skipped

MANY = 17
"""One page of a list, and a little more."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A site on a bad day: a destination that does not answer, images that failed, a worker that died."""
    with serve_api(tmp_path_factory.mktemp("operations"), destinations=(PACS,)) as served:
        add_contradicted_study(served)
        served.deliver(served.ledger.deliveries.find()[0].id, DeliveryState.FAILED, "connection refused")
        for _ in range(3):
            served.ledger.destinations.record_failure("pacs", "connection refused", 3, 60)
        for number in range(MANY):
            fail(served, "unparsable" if number else "gave-up")
        fail(served, "film", InstanceState.SKIPPED)
        served.ledger.workers.register("reader-1:7", "reader-1", 7, "OpenVINOExecutionProvider", (LABELER, CANCER))
        with served.ledger.database.write() as tx:
            lost = "UPDATE workers SET seen_at = datetime(seen_at, '-2 minutes')"
            tx.connection.exec_driver_sql(lost)
        served.ledger.samples.add({"queued.routine": 12.0, "disk-free-bytes": 4.2e11})
        yield served


def fail(site: Served, code: str, state: InstanceState = InstanceState.FAILED) -> None:
    image = full_field()
    site.post(image)
    site.ledger.instances.record_finding(skipped(str(image.SOPInstanceUID), code, f"because of {code}", state))


def test_one_look_says_what_is_well_and_what_is_not(site: Served, open_page: OpenPage) -> None:
    page = open_page("/operations", role="viewer")
    tiles = page.get_by_role("list", name="State of the parts")
    expect(tiles).to_contain_text(f"{MANY} failed")
    expect(tiles).to_contain_text("0 alive")
    expect(tiles).to_contain_text("1 ended without proof")
    expect(page.locator("#destinations")).to_contain_text("left alone for a while")
    expect(page.locator("#workers")).to_contain_text("lost")
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    expect(page.get_by_role("button", name="Analyse anew")).to_have_count(0)


def test_plots_carry_their_values_as_a_table_for_the_time_that_is_asked_for(site: Served, open_page: OpenPage) -> None:
    page = open_page("/operations")
    plot = page.locator("#plot-queues")
    expect(plot.locator("svg[role=img]")).to_be_visible()
    page.get_by_label("Figures over").select_option("1 hour")
    expect(page.locator("#plot-throughput")).to_contain_text("each minute")
    plot.get_by_text("Values as a table").click()
    expect(plot.locator("tbody tr").first).to_be_visible()
    values = [text.strip() for text in plot.locator("tbody td.number").all_inner_texts()]
    assert len(values) in (60, 61), "each minute of the hour"
    assert values.count("12") == 1 and values.count("–") == len(values) - 1, "a minute without a look is a gap, not a 0"


def test_a_delivery_that_failed_is_tried_again(site: Served, open_page: OpenPage) -> None:
    page = open_page("/operations", role="approver")
    row = page.locator("#troubled tbody tr")
    expect(row).to_contain_text("connection refused")
    row.get_by_role("button", name="Retry").click()
    expect(page.locator("#troubled")).to_contain_text("Every delivery is in time.")
    assert site.ledger.deliveries.find()[0].state is DeliveryState.PENDING
    assert [event.detail["actor"] for event in site.ledger.events.find() if event.kind == "delivery.retried"] == ["Anna Approver"]


def test_images_without_labels_are_paged_narrowed_to_a_reason_and_analysed_anew(site: Served, open_page: OpenPage) -> None:
    page = open_page("/operations", role="approver")
    rows = page.locator("#images tbody tr")
    expect(rows).to_have_count(15)
    page.locator("#images").get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(MANY)
    page.get_by_label("Reason").select_option("gave-up")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("because of gave-up")
    rows.get_by_role("button", name="Analyse anew").click()
    expect(rows.first).to_contain_text("because of unparsable")
    assert site.ledger.counts.by_state()["instances"]["received"] == 1
    page.locator("#image-state").select_option("not analysed")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("because of film")
