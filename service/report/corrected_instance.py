"""A mammogram with its labels put right: new instance in a new series, pixels untouched, every former value on record.

Design notes, dicom.md sections 1 and 2. Which image may be corrected is policy (`service.domain.correction`); here only what it
approved is written.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from datetime import datetime

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, DigitalMammographyXRayImageStorageForPresentation

from models.vocabulary import READABLE_SCHEMES, VIEW_CODES, Laterality, View
from service.domain.findings import Agreement, Conclusion, Correction, CorrectionState, ImageFinding
from service.report.coding import code_item
from service.report.envelope import file_meta, local_time, stamp_creation
from service.report.identity import MANUFACTURER, SYSTEM, software_version
from service.report.orientation import describes, is_valid_orientation, patient_orientation
from service.report.uids import corrected_uid, series_uid

SIGNATURES = ("DigitalSignaturesSequence", "MACParametersSequence")
SC_IMAGE_TYPE = ("DERIVED", "SECONDARY")


class NothingToCorrect(ValueError):
    """The correction is not approved, or changes nothing in this image."""


def build_corrected(conclusion: Conclusion, correction: Correction, finding: ImageFinding, source: Dataset) -> Dataset:
    """Build the corrected copy of one image.

    Parameters
    ----------
    conclusion
        The study's answer; gives the time.
    correction
        Declared labels against those of the pixels. Missing and contradicted ones are written, others stay.
    finding
        The image's answer.
    source
        The whole instance as received, in any transfer syntax. It is not changed.

    Returns
    -------
    Dataset
        With file meta, in the source's transfer syntax, its pixel data byte for byte.

    Raises
    ------
    NothingToCorrect
        Nobody approved the correction, or the image already says what the pixels show.
    """
    if correction.state is not CorrectionState.APPROVED:
        raise NothingToCorrect(f"correction is {correction.state}: {correction.reason}")
    view = correction.pixel_view if _is_wrong(correction.view) else correction.declared_view
    side = correction.pixel_laterality if _is_wrong(correction.laterality) else correction.declared_laterality

    corrected = _shallow_copy(source)
    changes = _Changes(source, corrected)
    if view is not View.UNKNOWN and correction.view is not Agreement.UNSURE:
        _write_view(changes, view)
    if side is not Laterality.UNKNOWN and correction.laterality is not Agreement.UNSURE:
        _write_laterality(changes, side)
    _write_orientation(changes, view, side, finding.chest_wall_right)
    if not changes.former and not changes.malformed:
        raise NothingToCorrect("the image already says what its pixels show")

    moment = local_time(source, conclusion.concluded_at)
    _derive(corrected, source, conclusion, correction, finding)
    if View.UNKNOWN is not view and Laterality.UNKNOWN is not side:
        corrected.SeriesDescription = f"{side} {view}"
    _append(corrected, "OriginalAttributesSequence", changes.record(conclusion.concluded_at))
    _append(corrected, "ContributingEquipmentSequence", _equipment(conclusion.concluded_at, correction, finding))
    stamp_creation(corrected, moment)
    corrected.file_meta = file_meta(corrected, str(source.file_meta.TransferSyntaxUID))
    return corrected


class _Changes:
    """Writes attributes and remembers what stood there before (Original Attributes, PS3.3 C.12.1.1.9)."""

    def __init__(self, source: Dataset, corrected: Dataset) -> None:
        self.source = source
        self.corrected = corrected
        self.former = Dataset()
        self.malformed: list[Dataset] = []

    def write(self, keyword: str, value: object, is_well_formed: Callable[[object], bool] = lambda former: True) -> None:
        """Set an attribute, or remove it where `value` is None."""
        self._remember(keyword, is_well_formed)
        if value is None:
            delattr(self.corrected, keyword)
        else:
            setattr(self.corrected, keyword, value)

    def _remember(self, keyword: str, is_well_formed: Callable[[object], bool]) -> None:
        if keyword not in self.source:
            # Zero length says that the attribute was absent.
            setattr(self.former, keyword, None)
        elif self.source[keyword].is_empty or is_well_formed(self.source[keyword].value):
            self.former.add(self.source[keyword])
        else:
            self.malformed.append(_malformed(self.source[keyword]))

    def record(self, moment: datetime) -> Dataset:
        """The item that tells what was changed, when and by whom."""
        item = Dataset()
        item.ModifiedAttributesSequence = [self.former] if self.former else []
        if self.malformed:
            item.NonconformingModifiedAttributesSequence = self.malformed
        item.AttributeModificationDateTime = _with_zone(moment)
        item.ModifyingSystem = SYSTEM
        item.SourceOfPreviousValues = None
        item.ReasonForTheAttributeModification = "CORRECT"
        return item


def _write_view(changes: _Changes, view: View) -> None:
    code = VIEW_CODES[view]
    declared = changes.source.get("ViewCodeSequence") or []
    first = declared[0] if declared else Dataset()
    said = first.get("CodeValue"), first.get("CodingSchemeDesignator")
    if len(declared) != 1 or said[0] not in (code.value, *code.legacy) or said[1] not in READABLE_SCHEMES:
        item = code_item(code.value, code.scheme, code.meaning)
        modifiers = first.get("ViewModifierCodeSequence")
        if modifiers or changes.source.SOPClassUID == DigitalMammographyXRayImageStorageForPresentation:
            # Type 2 in the Mammography Image module (PS3.3 C.8.11.7), never empty elsewhere.
            item.ViewModifierCodeSequence = modifiers or []
        changes.write("ViewCodeSequence", [item])
    if changes.source.get("ViewPosition") != view.value:
        changes.write("ViewPosition", view.value)


def _write_laterality(changes: _Changes, side: Laterality) -> None:
    incomplete = changes.source.get("ImageLaterality") != side.value
    if incomplete:
        changes.write("ImageLaterality", side.value)
    series_side = changes.source.get("Laterality")
    if "Laterality" in changes.source and (incomplete or series_side not in (None, "", side.value)):
        # The side of the series must not stand beside that of the image (PS3.3 C.7.3.1).
        changes.write("Laterality", None)


def _write_orientation(changes: _Changes, view: View, side: Laterality, chest_wall_right: bool | None) -> None:
    declared = changes.source.get("PatientOrientation")
    derived = patient_orientation(view, side, chest_wall_right)
    valid = is_valid_orientation(declared)
    if derived is not None:
        if not valid or not describes(declared, derived):
            changes.write("PatientOrientation", list(derived), is_valid_orientation)
    elif declared and not valid:
        changes.write("PatientOrientation", "", is_valid_orientation)


def _derive(corrected: Dataset, source: Dataset, conclusion: Conclusion, correction: Correction, finding: ImageFinding) -> None:
    """Make the copy an instance of its own that points back at the image it came from."""
    corrected.SOPInstanceUID = corrected_uid(conclusion, correction, finding)
    corrected.SeriesInstanceUID = series_uid(conclusion.study_instance_uid, "corrected", corrected.SOPInstanceUID)
    image_type = source.get("ImageType") or SC_IMAGE_TYPE
    corrected.ImageType = ["DERIVED", *list(image_type)[1:]] if not isinstance(image_type, str) else list(SC_IMAGE_TYPE)
    reference = Dataset()
    reference.ReferencedSOPClassUID = UID(source.SOPClassUID)
    reference.ReferencedSOPInstanceUID = UID(source.SOPInstanceUID)
    reference.SpatialLocationsPreserved = "YES"
    reference.PurposeOfReferenceCodeSequence = [code_item("121322", "DCM", "Source image for image processing operation")]
    _append(corrected, "SourceImageSequence", reference)
    for keyword in SIGNATURES:
        # Signed was the former instance; its signature would not hold for this one.
        if keyword in corrected:
            delattr(corrected, keyword)


def _equipment(moment: datetime, correction: Correction, finding: ImageFinding) -> Dataset:
    """Contributing Equipment (PS3.3 C.12.1.1.5): this software, with the hashes of its models as versions."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code_item("109103", "DCM", "Modifying Equipment")]
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = MANUFACTURER
    item.SoftwareVersions = [software_version(), *(model.sha256 for model in finding.models)]
    item.ContributionDateTime = _with_zone(moment)
    item.ContributionDescription = f"Labels compared with the pixels, pixels unchanged: {correction.reason}"[:1024]
    return item


def _malformed(element: DataElement) -> Dataset:
    """A former value that broke the rules of its VR or VM, as bytes (PS3.3 C.12.1.1.9.1)."""
    values = [element.value] if isinstance(element.value, str) else element.value
    value = "\\".join(map(str, values)).encode("ascii", "replace")
    item = Dataset()
    item.SelectorAttribute = element.tag
    item.SelectorValueNumber = 0
    item.NonconformingDataElementValue = value + b" " * (len(value) % 2)
    return item


def _shallow_copy(source: Dataset) -> Dataset:
    """A dataset of its own that shares the source's values: pixels are not copied, unread text is written back byte for byte."""
    items = ((tag, source.get_item(tag)) for tag in source.keys())  # noqa: SIM118  (iterating a dataset decodes its elements)
    # Setting an attribute changes the element in place, so a decoded element must not be shared.
    copied = Dataset({tag: item if isinstance(item, RawDataElement) else copy(item) for tag, item in items})
    implicit_vr, little_endian = source.original_encoding
    copied.set_original_encoding(implicit_vr, little_endian, source.original_character_set)
    return copied


def _append(dataset: Dataset, keyword: str, item: Dataset) -> None:
    """Add an item to a sequence that may be shared with another dataset."""
    setattr(dataset, keyword, Items([*(dataset.get(keyword) or []), item]))


def _is_wrong(agreement: Agreement) -> bool:
    return agreement in (Agreement.MISSING, Agreement.CONTRADICT)


def _with_zone(moment: datetime) -> str:
    return moment.astimezone(moment.tzinfo).strftime("%Y%m%d%H%M%S.%f%z")
