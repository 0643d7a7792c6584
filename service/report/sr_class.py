"""A report in the SR class that a destination takes: the same content tree, for peers that do not accept Comprehensive 3D SR."""

from __future__ import annotations

from copy import copy

from pydicom.dataset import Dataset
from pydicom.uid import UID, Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from service.errors import NotExpressible
from service.report.common_modules import file_meta
from service.report.uids import dialect_uid

DIALECTS = (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage)
"""Classes that our measurement report fits into, the richest first. It holds no three-dimensional coordinates and no reference to an
item of its own, so that nothing is lost on the way down (PS3.3 Tables A.35.2-2, A.35.3-2, A.35.13-2; TID 1500 fits each)."""


def as_dialect(report: Dataset, sop_class_uid: str) -> Dataset:
    """Put a report into another SR class.

    Parameters
    ----------
    report
        As built by `build_report`. It is not changed.
    sop_class_uid
        One of `DIALECTS`.

    Returns
    -------
    Dataset
        The report itself for its own class; else the same content under a UID of its own, the same each time. The report that it
        supersedes is referenced in the same class: that is the one which the destination holds.

    Raises
    ------
    NotExpressible
        The class is none of `DIALECTS`.
    """
    if sop_class_uid == report.SOPClassUID:
        return report
    if report.SOPClassUID not in DIALECTS or sop_class_uid not in DIALECTS:
        raise NotExpressible(f"{UID(str(report.SOPClassUID)).name} cannot be said as {UID(sop_class_uid).name}")
    translated = Dataset({element.tag: copy(element) for element in report})
    translated.SOPInstanceUID = dialect_uid(report.SOPInstanceUID, sop_class_uid)
    translated.SOPClassUID = UID(sop_class_uid)
    if "PredecessorDocumentsSequence" in report:
        translated.PredecessorDocumentsSequence = [_translate(item, sop_class_uid) for item in report.PredecessorDocumentsSequence]
    translated.file_meta = file_meta(translated, str(report.file_meta.TransferSyntaxUID))
    return translated


def _translate(item: Dataset, sop_class_uid: str) -> Dataset:
    """An item of references with each report named in the other class."""
    translated = Dataset()
    for element in item:
        if element.VR == "SQ":
            translated.add_new(element.tag, "SQ", [_translate(child, sop_class_uid) for child in element.value])
        else:
            translated.add(copy(element))
    if "ReferencedSOPClassUID" in item:
        translated.ReferencedSOPInstanceUID = dialect_uid(item.ReferencedSOPInstanceUID, sop_class_uid)
        translated.ReferencedSOPClassUID = UID(sop_class_uid)
    return translated
