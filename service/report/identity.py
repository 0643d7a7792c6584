"""The names and UIDs by which every produced object identifies this software."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

MANUFACTURER = "mammotriage"
SYSTEM = "MAMMOTRIAGE"
IMPLEMENTATION_CLASS_UID = "2.25.281433702950683112640962207157441093017"
CODING_SCHEME = "99MAMMOTRIAGE"
NOT_A_DIAGNOSIS = "Computed by software, not reviewed by a person. Not a diagnosis."


def software_version() -> str:
    """The version of the installed distribution; ``0`` in a source tree that is not installed."""
    try:
        return version("mammotriage")
    except PackageNotFoundError:
        return "0"
