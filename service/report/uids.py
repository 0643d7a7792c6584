"""Names of produced objects. They follow from what the object says, so a task that runs twice makes one object."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable

from service.domain.findings import Conclusion, CorrectionKind, ImageFinding, LabelCorrection
from service.domain.policy import Mode


def derive_uid(study_instance_uid: str, version: int, model_shas: Iterable[str], kind: str, source_uid: str = "") -> str:
    """Derive a UID under 2.25, the root for UUIDs (PS3.5 B.2).

    Parameters
    ----------
    study_instance_uid, version
        Study and version of its conclusion; 0 for what outlives a version, such as a series.
    model_shas
        sha256 of the models that said it, in any order.
    kind
        What the UID names, e.g. ``sr`` or ``corrected:L:MLO``.
    source_uid
        SOP Instance UID of the image in question, if one is.
    """
    text = "|".join((study_instance_uid, str(version), *sorted(model_shas), kind, source_uid))
    # Version 5 only sets the UUID's own marker bits; the value is the first 128 bits of a sha256.
    return f"2.25.{uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=5).int}"


def report_uid(conclusion: Conclusion) -> str:
    """SOP Instance UID of a conclusion's structured report: a new one with every version."""
    return derive_uid(conclusion.study_instance_uid, conclusion.version, _shas(conclusion), "sr")


def cad_uid(conclusion: Conclusion) -> str:
    """SOP Instance UID of a conclusion's Mammography CAD SR: a new one with every version."""
    return derive_uid(conclusion.study_instance_uid, conclusion.version, _shas(conclusion), "cad-sr")


def dialect_uid(report_sop_instance_uid: str, sop_class_uid: str) -> str:
    """SOP Instance UID of a report put into another SR class: the same content under another class is another instance."""
    return derive_uid(report_sop_instance_uid, 0, (), f"dialect:{sop_class_uid}")


def marks_uid(conclusion: Conclusion, finding: ImageFinding) -> str:
    """SOP Instance UID of the presentation state with an image's marks; like its heatmap it outlives a version."""
    return derive_uid(conclusion.study_instance_uid, 0, _shas(finding), "gsps", finding.sop_instance_uid)


def heatmap_uid(conclusion: Conclusion, finding: ImageFinding) -> str:
    """SOP Instance UID of an image's heatmap. A late image concludes the study anew but leaves the others' heatmaps as they are."""
    return derive_uid(conclusion.study_instance_uid, 0, _shas(finding), "sc", finding.sop_instance_uid)


def corrected_uid(study_instance_uid: str, correction: LabelCorrection, mode: Mode = "new-series") -> str:
    """SOP Instance UID under which a corrected image lies at its destination.

    In a new series it follows from what is written onto which image: neither a new version of the conclusion nor a new model that
    says the same makes a second copy. In the other modes the image keeps its own.
    """
    return _copy_uid(study_instance_uid, correction, "corrected") if mode == "new-series" else correction.sop_instance_uid


def undone_uid(study_instance_uid: str, correction: LabelCorrection, mode: Mode = "new-series") -> str:
    """SOP Instance UID under which the image lies once its former labels are written back."""
    return _copy_uid(study_instance_uid, correction, "undone") if mode == "new-series" else correction.sop_instance_uid


def rejection_uid(study_instance_uid: str, rejected_uid: str, title: str) -> str:
    """SOP Instance UID of the note that rejects an instance; `title` is the code of its reason."""
    return derive_uid(study_instance_uid, 0, (), f"kos:{title}", rejected_uid)


def _copy_uid(study_instance_uid: str, correction: LabelCorrection, kind: str) -> str:
    # "undone" and "exchanged" are older names of kinds. They are part of UIDs that archives hold, so they stay.
    difference = "exchanged" if correction.kind is CorrectionKind.SIDES_SWAPPED else correction.kind
    written = f"{kind}:{difference}:{correction.new_laterality}:{correction.new_view}"
    return derive_uid(study_instance_uid, 0, (), written, correction.sop_instance_uid)


def derive_series_uid(study_instance_uid: str, kind: str, source_uid: str = "") -> str:
    """Series Instance UID: one series of each kind of result for each study, one for each corrected image."""
    return derive_uid(study_instance_uid, 0, (), f"series:{kind}", source_uid)


def _shas(answer: Conclusion | ImageFinding) -> list[str]:
    return [model.sha256 for model in answer.models]
