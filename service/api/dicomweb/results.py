"""What a DICOMweb search says of a study, a series and an instance (PS3.18 tables 10.6.3-3 to 10.6.3-5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian

from service.api.dicomweb.files import NATIVE
from service.api.dicomweb.json_model import Json, as_json
from service.api.dicomweb.query import Query
from service.api.dicomweb.urls import Urls
from service.store.dicom_objects import SeriesKey, StoredInstance

STUDY = (
    "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "TimezoneOffsetFromUTC", "PatientName", "PatientID",
    "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "StudyDescription",
)  # fmt: skip
SERIES = (
    "Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "SeriesDate", "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime", "RequestAttributesSequence", "TimezoneOffsetFromUTC",
)  # fmt: skip
INSTANCE = (
    "SOPClassUID", "SOPInstanceUID", "TimezoneOffsetFromUTC", "InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames",
)  # fmt: skip
"""What every answer has, empty where the object does not have it: those of the standard, and dates and descriptions for viewers."""


def describe_study(uid: str, held: Sequence[StoredInstance], header: Dataset, query: Query, urls: Urls) -> Json:
    """One study: `header` is that of an object which speaks for it, `held` all that it has."""
    answer = _fields(header, STUDY, query)
    _add(answer, InstanceAvailability="ONLINE", RetrieveURL=urls.study(uid))
    _add(answer, ModalitiesInStudy=_once(each.modality for each in held), SOPClassesInStudy=_once(each.sop_class_uid for each in held))
    _add(answer, NumberOfStudyRelatedSeries=len({each.series_instance_uid for each in held}), NumberOfStudyRelatedInstances=len(held))
    return answer


def describe_series(key: SeriesKey, held: Sequence[StoredInstance], header: Dataset, query: Query, urls: Urls, with_study: bool) -> Json:
    """One series; `with_study`: the path of the request did not say which study."""
    answer = _fields(header, ("StudyInstanceUID", *(STUDY if with_study else ()), *SERIES), query)
    _add(answer, RetrieveURL=urls.series(key.study_instance_uid, key.series_instance_uid), NumberOfSeriesRelatedInstances=len(held))
    return answer


def describe_instance(stored: StoredInstance, header: Dataset, query: Query, urls: Urls, with_study: bool, with_series: bool) -> Json:
    """One instance."""
    above = (*(STUDY if with_study else ()), *(SERIES if with_series else ()))
    answer = _fields(header, ("StudyInstanceUID", "SeriesInstanceUID", *above, *INSTANCE), query)
    _add(answer, InstanceAvailability="ONLINE", RetrieveURL=urls.instance(stored), AvailableTransferSyntaxUID=available(header))
    return answer


def available(header: Dataset) -> list[str]:
    """Transfer syntaxes in which an object can be had: its own, where that may travel, and Explicit VR Little Endian."""
    own = getattr(getattr(header, "file_meta", None), "TransferSyntaxUID", ExplicitVRLittleEndian)
    return [str(ExplicitVRLittleEndian)] if own in NATIVE else [str(own), str(ExplicitVRLittleEndian)]


def _fields(header: Dataset, keywords: Iterable[str], query: Query) -> Json:
    usual = {Tag(keyword) for keyword in keywords}
    answer = as_json(header, None, None if query.all_fields else usual | query.fields)
    for tag in usual:
        answer.setdefault(f"{tag:08X}", {"vr": dictionary_VR(tag)})
    return answer


def _add(answer: Json, **values: Any) -> None:
    for keyword, value in values.items():
        tag = Tag(keyword)
        answer[f"{tag:08X}"] = {"vr": dictionary_VR(tag), "Value": value if isinstance(value, list) else [value]}


def _once(values: Iterable[str]) -> list[str]:
    return sorted({each for each in values if each})
