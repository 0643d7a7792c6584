"""Who made an object: the marks that every produced object carries, and by which we know our own when an archive sends it back."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from pydicom.dataset import Dataset

MANUFACTURER = "mammotriage"
SYSTEM = "MAMMOTRIAGE"
IMPLEMENTATION_CLASS_UID = "2.25.281433702950683112640962207157441093017"
CODING_SCHEME = "99MAMMOTRIAGE"
NOT_A_DIAGNOSIS = "Computed by software, not reviewed by a person. Not a diagnosis."


def software_version() -> str:
    """The installed distribution's version, ``0`` in a tree that is not installed."""
    try:
        return version("mammotriage")
    except PackageNotFoundError:
        return "0"


def is_own(dataset: Dataset) -> bool:
    """Tell whether this service produced an object, so that an archive's copy of it is not taken for a new image."""
    if dataset.get("Manufacturer", "") == MANUFACTURER:
        return True
    return any(item.get("Manufacturer", "") == MANUFACTURER for item in dataset.get("ContributingEquipmentSequence") or ())
