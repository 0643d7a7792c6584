"""Folders and modules stay small enough to be read: the limits of CONTRIBUTING.md."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("models", "service", "training")
MOST_MODULES = 28
MOST_LINES = 350


def _modules() -> list[Path]:
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "versions" not in path.parts]


def test_no_folder_holds_more_modules_than_a_reader_surveys() -> None:
    counted = {folder: len(list(folder.glob("*.py"))) for folder in {path.parent for path in _modules()}}
    assert not {folder.relative_to(ROOT).as_posix(): number for folder, number in counted.items() if number > MOST_MODULES}


def test_no_module_is_longer_than_a_reader_holds_in_mind() -> None:
    counted = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in _modules()}
    assert not {path.relative_to(ROOT).as_posix(): number for path, number in counted.items() if number > MOST_LINES}


def test_the_limits_are_measured_on_the_real_packages() -> None:
    assert len(_modules()) > 300
