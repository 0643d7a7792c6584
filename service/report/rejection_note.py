"""A note that asks an archive to hide an instance in favour of its corrected copy (IHE Imaging Object Change Management, IOCM).

It is a Key Object Selection (PS3.3 A.35.4, PS3.16 TID 2010) whose title is the reason. An archive without IOCM shows both images.
"""

from __future__ import annotations

from highdicom.ko import KeyObjectSelection
from highdicom.sr import CodedConcept, DeviceObserverIdentifyingAttributes, ObserverContext
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage

from models.vocabulary import Code
from service.domain.instance_reference import InstanceReference
from service.report.common_modules import begin_object, dicom_date_time, file_meta, local_time
from service.report.content import as_plain
from service.report.document import list_references
from service.report.identity import IMPLEMENTATION_CLASS_UID, MANUFACTURER
from service.report.label_changes import DecidedCorrection
from service.report.uids import corrected_uid, derive_series_uid, rejection_uid

BAD_QUALITY = Code("113001", "Rejected for Quality Reasons", scheme="DCM")
INCORRECT_LABEL = Code("113037", "Rejected for Patient Safety Reasons", scheme="DCM")
"""The title that IOCM has for images with wrong labels."""
WRONG_WORKLIST_ENTRY = Code("113038", "Incorrect Modality Worklist Entry", scheme="DCM")
RETENTION_EXPIRED = Code("113039", "Data Retention Policy Expired", scheme="DCM")
TITLES = (BAD_QUALITY, INCORRECT_LABEL, WRONG_WORKLIST_ENTRY, RETENTION_EXPIRED)
"""Document titles that reject (PS3.16 CID 7031)."""

SERIES_NUMBER = 9007


def build_rejection_note(decided: DecidedCorrection, source: Dataset, title: Code = INCORRECT_LABEL) -> Dataset:
    """Build the note that rejects one instance.

    Parameters
    ----------
    decided
        The correction; gives the time and the UID of the corrected copy.
    source
        Header of the instance to reject: the received one, or after an undo its corrected copy.
    title
        One of `TITLES`.

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta, in the instance's study; equal input, equal bytes.
    """
    if title not in TITLES:
        raise ValueError(f"{title.value} is not a title of a rejection note")
    study_instance_uid = str(source.StudyInstanceUID)
    moment = local_time(source, decided.decision.at)
    note = begin_object(source, moment, decided.models)
    note.SOPClassUID = KeyObjectSelectionDocumentStorage
    note.SOPInstanceUID = rejection_uid(study_instance_uid, str(source.SOPInstanceUID), title.value)
    note.Modality = "KO"
    note.SeriesInstanceUID = derive_series_uid(study_instance_uid, "kos")
    note.SeriesNumber = SERIES_NUMBER
    note.SeriesDescription = "mammotriage rejection notes"
    note.ReferencedPerformedProcedureStepSequence = []
    note.InstanceNumber = 1
    note.ContentDate, note.ContentTime = dicom_date_time(moment)
    note.CurrentRequestedProcedureEvidenceSequence = list_references([InstanceReference.of(source)])
    note.update(as_plain(_content(decided, source, title)))
    note.file_meta = file_meta(note, ExplicitVRLittleEndian)
    return note


def _content(decided: DecidedCorrection, source: Dataset, title: Code) -> Dataset:
    """TID 2010. The description does not quote a person's reason: it may use a script that the study's character set does not have."""
    copy_uid = corrected_uid(str(source.StudyInstanceUID), decided.correction)
    if copy_uid == source.SOPInstanceUID:
        description = "The correction of this copy was undone."
    else:
        description = f"The label of view or side is wrong; {copy_uid} is a copy with other labels."
    device = DeviceObserverIdentifyingAttributes(IMPLEMENTATION_CLASS_UID, name=MANUFACTURER, manufacturer_name=MANUFACTURER)
    selection = KeyObjectSelection(
        CodedConcept(title.value, title.scheme, title.meaning),
        [source],
        observer_device_context=ObserverContext(codes.DCM.Device, device),
        description=description,
    )
    root: Dataset = selection[0]
    return root
