"""The SR classes in which a destination may take the measurement report, for peers that do not support Comprehensive 3D SR."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.uid import UID, Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from service.errors import NotExpressible

SR_CLASSES = (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage)
"""Classes that the measurement report fits into, the richest first. It has no three-dimensional coordinates and no reference to one of
its own content items, so each class holds all of it (PS3.3 Tables A.35.2-2, A.35.3-2, A.35.13-2; TID 1500 fits each)."""


def preferred_sr_class(supported: Mapping[str, bool]) -> UID:
    """The richest of `SR_CLASSES` that a destination supports.

    Parameters
    ----------
    supported
        Support by SOP Class UID; a class without an entry may be supported.

    Returns
    -------
    UID
        Comprehensive 3D SR if the destination supports none of them: it then rejects the report by its SOP class.
    """
    return next((each for each in SR_CLASSES if supported.get(each, True)), SR_CLASSES[0])


def check_sr_class(sop_class_uid: str) -> None:
    """Raise `NotExpressible` for a class that is none of `SR_CLASSES`."""
    if sop_class_uid not in SR_CLASSES:
        raise NotExpressible(f"the measurement report cannot be written as {UID(sop_class_uid).name}")
