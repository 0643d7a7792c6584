"""Debian's Chromium, driven by Playwright: what a reader at a workstation sees."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

WIDE: ViewportSize = {"width": 1600, "height": 1000}
TOO_DEEP = ("--no-sandbox", "--disable-dev-shm-usage", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""A container has no second sandbox and no GPU: WebGL runs in software."""


def find_chromium() -> str | None:
    """Path of the browser; None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def open_browser(path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(TOO_DEEP))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Complaints:
    """What a page complained of: script errors, errors in the console (a broken content security policy is one), answers of 500."""

    found: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.found.append(f"script: {error}"))
        page.on("console", lambda line: self.found.append(f"console: {line.text}") if line.type == "error" else None)
        page.on("response", lambda answer: self.found.append(f"{answer.status}: {answer.url}") if answer.status >= 500 else None)
