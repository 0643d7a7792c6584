"""A user of a role, signed in to a running stack through the form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext

from service.accounts.passwords import check_new_password
from service.domain.access import Role
from service.settings import Settings
from service.store.ledger import Ledger
from tests.support.browser import WIDE

NAME, DISPLAY_NAME, PASSWORD = "ada", "Ada Lovelace", "correct horse battery staple"


def add_person(settings: Settings, role: Role) -> None:
    """Give the stack its first person."""
    ledger = Ledger(settings.ledger_url)
    ledger.users.add(NAME, DISPLAY_NAME, role, check_new_password(NAME, PASSWORD))
    ledger.close()


@contextmanager
def open_signed_in(browser: Browser, settings: Settings, role: Role) -> Iterator[BrowserContext]:
    """A browser's context after the sign-in."""
    add_person(settings, role)
    with browser.new_context(base_url=settings.public_api_url, viewport=WIDE, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto("/")
        page.get_by_label("Name").fill(NAME)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        page.close()
        yield context
