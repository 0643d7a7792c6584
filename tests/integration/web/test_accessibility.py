"""No page has a serious fault that axe knows of (WCAG 2.2 A and AA, and its own best practices), in either theme, with data on it."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.integration.web.conftest import OpenPage
from tests.support.api_server import Served
from tests.support.mislabelled_studies import add_contradicted_study, add_swapped_study

SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def studies(site: Served) -> dict[str, str]:
    """What the pages show: a study with a proposal, a held one. Paths by name."""
    proposal = site.ledger.corrections.get(add_contradicted_study(site))
    add_swapped_study(site)
    assert proposal is not None
    return {
        "worklist": "/",
        "study": f"/studies/{proposal.study_instance_uid}",
        "corrections": "/corrections",
        "operations": "/operations",
        "quality": "/quality",
        "access": "/access",
        "sign-in": "/sign-in",
        "documentation": "/docs",
    }


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", ["worklist", "study", "corrections", "operations", "quality", "access", "sign-in", "documentation"])
def test_axe_finds_no_serious_fault(open_page: OpenPage, studies: dict[str, str], name: str, theme: str) -> None:
    page = open_page(studies[name])
    if theme == "light":
        page.evaluate("localStorage.setItem('theme', 'light')")
        page.reload()
    page.wait_for_load_state("networkidle") if name == "documentation" else page.wait_for_timeout(600)
    assert find_faults(page) == []


def find_faults(page: Page) -> list[str]:
    """Serious faults as ``rule: elements``."""
    found = json.loads(json.dumps(Axe().run(page).response))["violations"]
    return [f"{each['id']}: {[node['html'][:120] for node in each['nodes']][:3]}" for each in found if each["impact"] in SERIOUS]
