"""Modules that all produced objects share: patient and study as in the source, our equipment, the time of the conclusion."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from service.domain.findings import ModelIdentity
from service.report.identity import IMPLEMENTATION_CLASS_UID, MANUFACTURER, SYSTEM, software_version
from service.report.original_attributes import PROCESSING, equipment

REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Type 2 of the Patient and General Study modules (PS3.3 C.7.1.1, C.7.2.1): empty if the source has none."""
OPTIONAL = (
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "IssuerOfPatientID",
    "PatientAge",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
)


PROCESSED = "Labels, scores and heatmaps of mammograms by neural networks; the versions include the sha256 of each network"
"""Contribution Description of the objects that are no copy of an image."""


def begin_object(source: Dataset, moment: datetime, models: Iterable[ModelIdentity]) -> Dataset:
    """A new object of the patient and study of `source`, made by our equipment with these models at `moment`."""
    target = Dataset()
    copy_patient_and_study(source, target)
    stamp_equipment(target)
    stamp_creation(target, moment)
    item = equipment(moment, models, PROCESSED, PROCESSING)
    # Instance Creation Date and Time say when; dcmtk's dcmpschk takes no DT value with a zone.
    del item.ContributionDateTime
    target.ContributingEquipmentSequence = [item]
    return target


def copy_patient_and_study(source: Dataset, target: Dataset) -> None:
    """Give `target` the patient and study of `source`, character set included, inventing nothing."""
    for keyword in OPTIONAL:
        if keyword in source:
            target.add(source[keyword])
        elif keyword in target:
            delattr(target, keyword)
    for keyword in REQUIRED:
        if keyword in source:
            target.add(source[keyword])
        else:
            setattr(target, keyword, None)
    target.StudyInstanceUID = source.StudyInstanceUID


def stamp_equipment(target: Dataset) -> None:
    """General Equipment module (PS3.3 C.7.5.1)."""
    target.Manufacturer = MANUFACTURER
    target.ManufacturerModelName = MANUFACTURER
    target.SoftwareVersions = software_version()


def stamp_creation(target: Dataset, moment: datetime) -> None:
    """Instance Creation Date and Time (PS3.3 C.12.1)."""
    target.InstanceCreationDate, target.InstanceCreationTime = dicom_date_time(moment)


def dicom_date_time(moment: datetime) -> tuple[str, str]:
    """DA and TM values."""
    return moment.strftime("%Y%m%d"), moment.strftime("%H%M%S.%f")


def local_time(source: Dataset, moment: datetime) -> datetime:
    """`moment` in the time zone of the source: DA and TM have no zone of their own (PS3.3 C.12.1.1.8).

    The zone is the offset that the source declares, else that of this machine.
    """
    offset = str(source.get("TimezoneOffsetFromUTC") or "")
    try:
        sign = {"+": 1, "-": -1}[offset[:1]]
        declared = timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5])))
    except (KeyError, ValueError):
        return moment.astimezone()
    return moment.astimezone(declared)


def file_meta(target: Dataset, transfer_syntax_uid: str) -> FileMetaDataset:
    """Complete file meta information, so that pydicom adds nothing when it writes the file (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = target.SOPClassUID
    meta.MediaStorageSOPInstanceUID = target.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = SYSTEM
    return meta
