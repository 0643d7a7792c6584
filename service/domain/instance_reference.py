"""The UIDs that address one DICOM instance (PS3.3 C.12.1, C.7.2.1, C.7.3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset


@dataclass(frozen=True)
class InstanceReference:
    """Study, series, instance and class of one DICOM object; the transfer syntax of its file is '' where it is not known."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str = ""

    @classmethod
    def of(cls, dataset: Dataset) -> InstanceReference:
        """The reference to `dataset`, without its transfer syntax; '' for a UID that it lacks."""
        study, series, sop, sop_class = (
            str(dataset.get(keyword, "")) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
        )
        return cls(study, series, sop, sop_class)
