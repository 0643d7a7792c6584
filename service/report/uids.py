"""UIDs of produced objects. They are derived from the object's content, so a task that runs twice produces the same object."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable

from pydicom.uid import Comprehensive3DSRStorage

from service.domain.findings import Conclusion, CorrectionKind, ImageFinding, LabelCorrection
from service.domain.policy import CorrectionMode


def derive_uid(study_instance_uid: str, version: int, model_shas: Iterable[str], kind: str, source_uid: str = "") -> str:
    """Derive a UID under 2.25, the root for UUIDs (PS3.5 B.2).

    Parameters
    ----------
    study_instance_uid, version
        Study and version of its conclusion; 0 for an object that several versions share, such as a series.
    model_shas
        sha256 of the models that produced the content, in any order.
    kind
        What the UID identifies, e.g. ``sr`` or ``corrected:L:MLO``.
    source_uid
        SOP Instance UID of the image that the object is about, if there is one.
    """
    text = "|".join((study_instance_uid, str(version), *sorted(model_shas), kind, source_uid))
    # Version 5 only sets the UUID's own marker bits; the value is the first 128 bits of a sha256.
    return f"2.25.{uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=5).int}"


def report_uid(conclusion: Conclusion, sop_class_uid: str = Comprehensive3DSRStorage) -> str:
    """SOP Instance UID of a conclusion's measurement report: a new one with every version, and another one in each SR class.

    The same content in another SOP class is another instance (PS3.3 C.12.1).
    """
    uid = derive_uid(conclusion.study_instance_uid, conclusion.version, _shas(conclusion), "sr")
    # "dialect" is an older word for the class. It is part of UIDs that archives hold, so it stays.
    return uid if sop_class_uid == Comprehensive3DSRStorage else derive_uid(uid, 0, (), f"dialect:{sop_class_uid}")


def cad_uid(conclusion: Conclusion) -> str:
    """SOP Instance UID of a conclusion's Mammography CAD SR: a new one with every version."""
    return derive_uid(conclusion.study_instance_uid, conclusion.version, _shas(conclusion), "cad-sr")


def marks_uid(conclusion: Conclusion, finding: ImageFinding) -> str:
    """SOP Instance UID of the presentation state with an image's marks; all versions of the conclusion share it."""
    return derive_uid(conclusion.study_instance_uid, 0, _shas(finding), "gsps", finding.sop_instance_uid)


def heatmap_uid(conclusion: Conclusion, finding: ImageFinding) -> str:
    """SOP Instance UID of an image's heatmap. A late image causes a new conclusion but does not change the other images' heatmaps."""
    return derive_uid(conclusion.study_instance_uid, 0, _shas(finding), "sc", finding.sop_instance_uid)


def corrected_uid(study_instance_uid: str, correction: LabelCorrection, mode: CorrectionMode = "new-series") -> str:
    """SOP Instance UID that a corrected image has at its destination.

    In a new series it is derived from the image and its new labels: neither a new version of the conclusion nor a new model with the
    same result makes a second copy. In the other modes the image keeps its UID.
    """
    return _copy_uid(study_instance_uid, correction, "corrected") if mode == "new-series" else correction.sop_instance_uid


def reverted_uid(study_instance_uid: str, correction: LabelCorrection, mode: CorrectionMode = "new-series") -> str:
    """SOP Instance UID that the image has at its destination after its former labels are written back."""
    return _copy_uid(study_instance_uid, correction, "undone") if mode == "new-series" else correction.sop_instance_uid


def rejection_uid(study_instance_uid: str, rejected_uid: str, title: str) -> str:
    """SOP Instance UID of the note that rejects an instance; `title` is the code of the reason."""
    return derive_uid(study_instance_uid, 0, (), f"kos:{title}", rejected_uid)


def _copy_uid(study_instance_uid: str, correction: LabelCorrection, kind: str) -> str:
    # "undone" and "exchanged" are older names of kinds. They are part of UIDs that archives hold, so they stay.
    difference = "exchanged" if correction.kind is CorrectionKind.SIDES_SWAPPED else correction.kind
    written = f"{kind}:{difference}:{correction.new_laterality}:{correction.new_view}"
    return derive_uid(study_instance_uid, 0, (), written, correction.sop_instance_uid)


def derive_series_uid(study_instance_uid: str, kind: str, source_uid: str = "") -> str:
    """Series Instance UID: one series for each kind of result of a study, and one for each corrected image."""
    return derive_uid(study_instance_uid, 0, (), f"series:{kind}", source_uid)


def _shas(result: Conclusion | ImageFinding) -> list[str]:
    return [model.sha256 for model in result.models]
