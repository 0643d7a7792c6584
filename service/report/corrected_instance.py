"""A mammogram with its labels put right, and put back: pixels untouched, every former value on record.

Design notes, dicom.md sections 1 and 2. What is written onto which image was decided (`service.report.label_changes`); here it is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydicom.dataset import Dataset
from pydicom.uid import UID

from models.attributes import read_text
from models.vocabulary import Laterality, View
from service.report.allow_list import SIGNATURES, allowed, check
from service.report.coding import code_item
from service.report.common_modules import file_meta, local_time, stamp_creation
from service.report.label_changes import LABELS, Change, Undo, new_labels, set_labels
from service.report.original_attributes import append, equipment, is_code_string, put, record_former, shallow_copy, with_zone
from service.report.uids import corrected_uid, derive_series_uid, undone_uid

CorrectionRoute = Literal["new-series", "overwrite"]
"""The modes in which an object of ours is sent; in the others nothing is, or the archive changes its own."""
SC_IMAGE_TYPE = ("DERIVED", "SECONDARY")


def build_corrected(change: Change, source: Dataset, mode: CorrectionRoute) -> Dataset:
    """Build one image with the labels that its pixels show.

    Parameters
    ----------
    change
        The decision.
    source
        The whole instance as received, in any transfer syntax. It is not changed.
    mode
        new-series: a new instance in a series of its own that points back at its source. overwrite: the same instance, under its own
        UIDs, for an archive that replaces what it holds.

    Returns
    -------
    Dataset
        With file meta, in the source's transfer syntax, its pixel data byte for byte.

    Raises
    ------
    NothingToCorrect
        The correction may not be written, or the image already says what the pixels show.
    UnreadableRecord
        A sequence that has to be kept and added to cannot be read.
    UnexpectedAttributeChange
        The object differs from its source where it must not: a mistake of this program, so nothing is returned.
    """
    labels = new_labels(change, source)
    before, built = shallow_copy(source), shallow_copy(source)
    set_labels(built, labels)
    if mode == "new-series":
        _derive(built, before, corrected_uid(str(before.StudyInstanceUID), change.correction), "corrected")
        view, side = change.correction.new_view, change.correction.new_laterality
        if view is not View.UNKNOWN and side is not Laterality.UNKNOWN:
            put(built, "SeriesDescription", f"{side} {view}")
    for keyword in SIGNATURES:
        put(built, keyword, None)
    difference = change.correction.reason.rstrip(".")
    told = f"Labels compared with the pixels, pixels unchanged: {difference}. Decided by {change.actor}: {change.reason}"
    return _finish(built, before, labels, change, change.at, told, mode, source)


def build_undone(change: Change, undone: Undo, source: Dataset, mode: CorrectionRoute) -> Dataset:
    """Build one image with its former labels again, and with one more record: of what the correction had written.

    Parameters
    ----------
    change
        The correction to undo.
    undone
        The decision to undo it.
    source
        The whole instance as received, before the correction.
    mode
        new-series: one more instance, in one more series, that points back at source and corrected copy. overwrite: the same
        instance, under its own UIDs.

    Raises
    ------
    NothingToCorrect, UnreadableRecord, UnexpectedAttributeChange
        As `build_corrected`.
    """
    corrected = build_corrected(change, source, mode)
    labels = new_labels(change, source)
    built = shallow_copy(corrected)
    restored = [*labels, *SIGNATURES] if mode == "overwrite" else [*labels, "SeriesDescription"]
    _restore(built, source, restored)
    if mode == "new-series":
        _derive(built, corrected, undone_uid(str(corrected.StudyInstanceUID), change.correction), "undone")  # as in `uids`
    told = f"Correction of labels undone, pixels unchanged. Decided by {undone.actor}: {undone.reason}"
    built = _finish(built, corrected, labels, change, undone.at, told, mode, source)
    check(source, built, allowed(mode) - set(LABELS))
    return built


def _finish(
    built: Dataset,
    before: Dataset,
    labels: Iterable[str],
    change: Change,
    moment: datetime,
    told: str,
    mode: CorrectionRoute,
    source: Dataset,
) -> Dataset:
    """Put on record what changed, by whom and when, and make sure that nothing else did."""
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
    append(built, "ContributingEquipmentSequence", equipment(moment, change.models, told))
    built.file_meta = file_meta(built, str(source.file_meta.TransferSyntaxUID))
    check(source, built, allowed(mode, change.correction.kind))
    return built


def _restore(built: Dataset, source: Dataset, keywords: Iterable[str]) -> None:
    """Put back what was received, element by element, undecoded."""
    received = shallow_copy(source)
    for keyword in keywords:
        if keyword in received:
            item = received.get_item(keyword)
            built[item.tag] = item
        elif keyword in built:
            del built[keyword]


def _derive(built: Dataset, before: Dataset, sop_instance_uid: str, kind: str) -> None:
    """Make the copy an instance of its own that points back at the image it came from (PS3.3 C.7.6.1.1.4)."""
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
