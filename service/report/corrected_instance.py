"""Build a mammogram with corrected labels, or with its former labels again; pixels stay as they are, former values are recorded.

Rules: docs/dicom.md, sections 1 and 2. `service.report.label_changes` says which attributes get which values.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.uid import UID

from models.attributes import read_text
from models.vocabulary import Laterality, View
from service.domain.policy import ObjectMode
from service.report.allow_list import SIGNATURES, allowed, check
from service.report.coding import code_item
from service.report.common_modules import file_meta, local_time, stamp_creation
from service.report.label_changes import LABELS, DecidedCorrection, Decision, new_labels, set_labels
from service.report.original_attributes import append, equipment, is_code_string, put, record_former, shallow_copy, with_zone
from service.report.uids import corrected_uid, derive_series_uid, reverted_uid

SC_IMAGE_TYPE = ("DERIVED", "SECONDARY")


def build_corrected(decided: DecidedCorrection, source: Dataset, mode: ObjectMode) -> Dataset:
    """Build one image with the labels that its pixels show.

    Parameters
    ----------
    decided
        The correction and the decision to write it.
    source
        The whole instance as received, in any transfer syntax. It is not changed.
    mode
        new-series: a new instance in a series of its own that refers to its source. overwrite: the same instance, under its own
        UIDs, for an archive that replaces what it holds.

    Returns
    -------
    Dataset
        With file meta, in the source's transfer syntax, its pixel data byte for byte.

    Raises
    ------
    NothingToCorrect
        The correction may not be written, or the image already declares what its pixels show.
    UnreadableRecord
        A sequence that has to be extended cannot be read.
    UnexpectedAttributeChange
        The object differs from its source in an attribute that must not change: a fault of this program, so nothing is returned.
    """
    labels = new_labels(decided, source)
    before, built = shallow_copy(source), shallow_copy(source)
    set_labels(built, labels)
    if mode == "new-series":
        _derive(built, before, corrected_uid(str(before.StudyInstanceUID), decided.correction), "corrected")
        view, side = decided.correction.new_view, decided.correction.new_laterality
        if view is not View.UNKNOWN and side is not Laterality.UNKNOWN:
            put(built, "SeriesDescription", f"{side} {view}")
    for keyword in SIGNATURES:
        put(built, keyword, None)
    difference = decided.correction.reason.rstrip(".")
    decision = decided.decision
    description = f"Labels compared with the pixels, pixels unchanged: {difference}. Decided by {decision.actor}: {decision.reason}"
    return _finish(built, before, labels, decided, decision.at, description, mode, source)


def build_reverted(decided: DecidedCorrection, reverting: Decision, source: Dataset, mode: ObjectMode) -> Dataset:
    """Build one image with its former labels again, and with one more record: of the values that the correction had written.

    Parameters
    ----------
    decided
        The correction to revert.
    reverting
        The decision to revert it.
    source
        The whole instance as received, before the correction.
    mode
        new-series: one more instance, in one more series, that refers to source and corrected copy. overwrite: the same
        instance, under its own UIDs.

    Raises
    ------
    NothingToCorrect, UnreadableRecord, UnexpectedAttributeChange
        As `build_corrected`.
    """
    corrected = build_corrected(decided, source, mode)
    labels = new_labels(decided, source)
    built = shallow_copy(corrected)
    restored = [*labels, *SIGNATURES] if mode == "overwrite" else [*labels, "SeriesDescription"]
    _restore(built, source, restored)
    if mode == "new-series":
        _derive(built, corrected, reverted_uid(str(corrected.StudyInstanceUID), decided.correction), "undone")  # see `uids`
    description = f"Correction of labels undone, pixels unchanged. Decided by {reverting.actor}: {reverting.reason}"
    built = _finish(built, corrected, labels, decided, reverting.at, description, mode, source)
    check(source, built, allowed(mode) - set(LABELS))
    return built


def _finish(
    built: Dataset,
    before: Dataset,
    labels: Iterable[str],
    decided: DecidedCorrection,
    moment: datetime,
    description: str,
    mode: ObjectMode,
    source: Dataset,
) -> Dataset:
    """Record what changed, who decided it and when, and check that nothing else changed."""
    changed = set(labels)
    if mode == "overwrite":
        if "InstanceCoercionDateTime" in before:
            changed.add("InstanceCoercionDateTime")
        put(built, "InstanceCoercionDateTime", with_zone(moment))
    else:
        for keyword in ("InstanceCreationDate", "InstanceCreationTime"):
            put(built, keyword, None)
        stamp_creation(built, local_time(before, moment))
    append(built, "OriginalAttributesSequence", record_former(before, changed, moment))
    append(built, "ContributingEquipmentSequence", equipment(moment, decided.models, description))
    built.file_meta = file_meta(built, str(source.file_meta.TransferSyntaxUID))
    check(source, built, allowed(mode, decided.correction.kind))
    return built


def _restore(built: Dataset, source: Dataset, keywords: Iterable[str]) -> None:
    """Put the received elements back, undecoded."""
    received = shallow_copy(source)
    for keyword in keywords:
        if keyword in received:
            item = received.get_item(keyword)
            built[item.tag] = item
        elif keyword in built:
            del built[keyword]


def _derive(built: Dataset, before: Dataset, sop_instance_uid: str, kind: str) -> None:
    """Make the copy an instance of its own that refers to its source image (PS3.3 C.7.6.1.1.4)."""
    built.SOPInstanceUID = sop_instance_uid
    built.SeriesInstanceUID = derive_series_uid(str(before.StudyInstanceUID), kind, sop_instance_uid)
    image_type = read_text(before, "ImageType").split("\\")
    well_formed = len(image_type) > 1 and all(is_code_string(value) for value in image_type)
    put(built, "ImageType", ["DERIVED", *image_type[1:]] if well_formed else list(SC_IMAGE_TYPE))
    reference = Dataset()
    reference.ReferencedSOPClassUID = UID(before.SOPClassUID)
    reference.ReferencedSOPInstanceUID = UID(before.SOPInstanceUID)
    reference.SpatialLocationsPreserved = "YES"
    reference.PurposeOfReferenceCodeSequence = [code_item("121322", "DCM", "Source image for image processing operation")]
    append(built, "SourceImageSequence", reference)
