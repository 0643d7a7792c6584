"""Signing in, one's own account, and the page on which people and keys are looked after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Browser, Page, expect

from service.accounts import passwords
from service.accounts.users import make_user
from service.domain.access import Role
from tests.integration.web.conftest import TIMEOUT_MS, OpenPage
from tests.integration.web.test_accessibility import find_faults
from tests.support.api_server import Served
from tests.support.browser import WIDE

PASSWORD = "radium and polonium"


@pytest.fixture(scope="module", autouse=True)
def _little_work(site: Served) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))
        make_user(site.ledger.users, "marie", "Dr Marie Curie", Role.VIEWER, PASSWORD)
        yield


@pytest.fixture
def stranger(browser: Browser, site: Served) -> Iterator[Page]:
    """A page without sign-in."""
    with browser.new_context(base_url=site.settings.public_api_url, viewport=WIDE) as context:
        context.set_default_timeout(TIMEOUT_MS)
        yield context.new_page()


def test_a_reader_signs_in_and_out_by_keyboard_and_lands_where_they_wanted(stranger: Page) -> None:
    stranger.goto("/quality")
    assert stranger.url.endswith("/sign-in?next=%2Fquality")
    assert find_faults(stranger) == []
    stranger.keyboard.type("marie")
    stranger.keyboard.press("Tab")
    stranger.keyboard.type("not the password")
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("alert").filter(has_text="Name or password is wrong.")).to_be_visible()
    assert find_faults(stranger) == []
    stranger.keyboard.type("marie")
    stranger.keyboard.press("Tab")
    stranger.keyboard.type(PASSWORD)
    stranger.keyboard.press("Enter")
    stranger.wait_for_url("**/quality")
    expect(stranger.locator("nav")).not_to_contain_text("Access")
    cookie = next(each for each in stranger.context.cookies() if each["name"] == "mammotriage")
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"
    stranger.get_by_role("button", name="Sign out").press("Enter")
    stranger.wait_for_url("**/sign-in")
    stranger.goto("/quality")
    assert "/sign-in" in stranger.url


def test_somebody_changes_their_own_password(stranger: Page) -> None:
    sign_in(stranger, PASSWORD, "/account")
    assert find_faults(stranger) == []
    stranger.get_by_label("Password of now").fill(PASSWORD)
    stranger.get_by_label("New password", exact=True).fill("photograph number 51")
    stranger.get_by_label("New password again").fill("photograph number 52")
    stranger.get_by_role("button", name="Change").click()
    expect(stranger.locator(".notice")).to_have_text("The two new passwords differ.")
    stranger.get_by_label("New password again").fill("photograph number 51")
    stranger.get_by_role("button", name="Change").click()
    stranger.wait_for_url("**/sign-in?next=/account")
    sign_in(stranger, "photograph number 51", "/account")
    expect(stranger.get_by_role("heading", name="Your account")).to_be_visible()


def sign_in(page: Page, password: str, next_path: str) -> None:
    page.goto(next_path)
    page.get_by_label("Name").fill("marie")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"**{next_path}")


def test_an_administrator_looks_after_people_and_keys(open_page: OpenPage, site: Served) -> None:
    page = open_page("/access")
    form = page.locator("#add-user")
    form.get_by_label("Name").fill("lise")
    form.get_by_label("Shown as").fill("Lise <b>Meitner</b>")
    form.get_by_label("Role").select_option("approver")
    form.get_by_label("Password").fill("nuclear fission")
    form.get_by_role("button").click()
    row = page.locator("#people tr", has_text="Lise <b>Meitner</b>")
    expect(row.get_by_label("Role of lise")).to_have_value("approver")
    row.get_by_label("Role of lise").select_option("viewer")
    expect(page.locator("#audit tr").first).to_contain_text('{"role":"viewer"}')
    row.get_by_role("button", name="Close the account lise").click()
    expect(row).to_contain_text("closed")
    lise = site.ledger.users.get("lise")
    assert lise is not None and (lise.role, lise.disabled) == (Role.VIEWER, True)

    key = page.locator("#make-key")
    key.get_by_label("Name").fill("hanging")
    key.get_by_label("read", exact=True).check()
    key.get_by_role("button").click()
    expect(page.locator("#secret")).to_contain_text("mt_")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke the key hanging").click()
    expect(page.locator("#keys tr", has_text="hanging")).to_contain_text("revoked")

    expect(page.locator("#audit tr").first).to_contain_text("DELETE /access/keys/*")
    page.locator("#audit-filter").get_by_label("Action").fill("POST /access/keys")
    page.locator("#audit-filter").get_by_role("button").click()
    expect(page.locator("#audit tr")).to_have_count(1)
    assert find_faults(page) == []


def test_a_viewer_has_no_way_to_the_page(browser: Browser, site: Served) -> None:
    with site.person("viewer") as vera:
        assert vera.get("/access").status_code == 403
        assert 'href="/access"' not in vera.get("/").text
    with site.person("admin") as ada:
        assert 'href="/access"' in ada.get("/").text
