"""Records of a change: the former values of an image, and the equipment that changed it (PS3.3 C.12.1.1.9 and C.12.1.1.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import copy, deepcopy
from datetime import datetime

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from models.attributes import read
from service.domain.findings import ModelIdentity
from service.errors import UnreadableRecord
from service.report.coding import code_item
from service.report.identity import MANUFACTURER, SYSTEM, software_version

VALUES = {"PatientOrientation": 2}
"""Value multiplicity of the text attributes that have more than one value."""
CODE_STRING = re.compile("[A-Z0-9_ ]{0,16}")
DESCRIPTION_CHARACTERS = 1024
"""The longest value of VR ST (PS3.5 6.2)."""


def shallow_copy(source: Dataset) -> Dataset:
    """A new dataset that shares the values of the source: pixels are not copied, and undecoded text keeps its bytes."""
    items = ((tag, source.get_item(tag)) for tag in source.keys())  # noqa: SIM118  (iterating a dataset decodes its elements)
    # Setting an attribute changes the element in place, so a decoded element must not be shared.
    copied = Dataset({tag: item if isinstance(item, RawDataElement) else copy(item) for tag, item in items})
    _encode_like(copied, source)
    return copied


def put(dataset: Dataset, keyword: str, value: object) -> None:
    """Set an attribute, or remove it if the value is None.

    The former element is removed first: setting its value would keep its VR, which may be wrong, and change an element that is shared.
    """
    if keyword in dataset:
        del dataset[keyword]
    if value is not None:
        setattr(dataset, keyword, value)


def record_former(before: Dataset, keywords: Iterable[str], moment: datetime) -> Dataset:
    """The Original Attributes item with the values that `before` has under some keywords.

    Values are copied undecoded. An attribute that was absent or empty gets zero length, and so does one whose value breaks the rules of
    its VR or VM: the bytes of that value are in the Nonconforming Modified Attributes Sequence.
    """
    former = Dataset(parent_encoding=before.original_character_set or "iso8859")
    _encode_like(former, before)
    malformed = []
    for keyword in sorted(keywords):
        item = before.get_item(keyword) if keyword in before and not _is_empty(before, keyword) else None
        if item is not None and _conforms(before, keyword):
            former[item.tag] = deepcopy(item)
            continue
        setattr(former, keyword, None)
        if item is not None:
            malformed.append(_malformed(item))
    record = Dataset()
    record.ModifiedAttributesSequence = [former]
    if malformed:
        record.NonconformingModifiedAttributesSequence = malformed
    record.AttributeModificationDateTime = with_zone(moment)
    record.ModifyingSystem = SYSTEM
    record.SourceOfPreviousValues = None
    record.ReasonForTheAttributeModification = "CORRECT"
    return record


MODIFYING = ("109103", "Modifying Equipment")
PROCESSING = ("109102", "Processing Equipment")
"""Purposes of CID 7005."""


def equipment(moment: datetime, models: Iterable[ModelIdentity], description: str, purpose: tuple[str, str] = MODIFYING) -> Dataset:
    """The Contributing Equipment item of this software (PS3.3 C.12.1), with the hashes of its models as versions.

    The description may contain a person's name and text in any script, which the character set of the image need not include.
    """
    item = Dataset()
    text = "".join(letter if letter.isprintable() else " " for letter in description)[:DESCRIPTION_CHARACTERS]
    if not text.isascii():
        # An item may have a character set of its own (PS3.3 C.12.1.1.2).
        item.SpecificCharacterSet = "ISO_IR 192"
    item.PurposeOfReferenceCodeSequence = [code_item(purpose[0], "DCM", purpose[1])]
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = MANUFACTURER
    item.SoftwareVersions = [software_version(), *(model.sha256 for model in models)]
    item.ContributionDateTime = with_zone(moment)
    item.ContributionDescription = text
    return item


def append(dataset: Dataset, keyword: str, item: Dataset) -> None:
    """Add an item to a sequence that may be shared with another dataset; the former items are kept.

    Raises
    ------
    UnreadableRecord
        The present value is not a readable sequence, so it could not be kept.
    """
    former = read(dataset, keyword)
    if former is None and keyword in dataset and not _is_empty(dataset, keyword):
        raise UnreadableRecord(f"{keyword} cannot be read, so it cannot be extended")
    if former and not isinstance(former, Items):
        raise UnreadableRecord(f"{keyword} is not a sequence, so it cannot be extended")
    put(dataset, keyword, Items([*(deepcopy(each) for each in former or ()), item]))


def stored_bytes(dataset: Dataset, keyword: str) -> bytes:
    """The bytes of a value in the file; b"" for a sequence."""
    item = dataset.get_item(keyword)
    return b"" if isinstance(item.value, Items) else _bytes(item)


def is_readable_sequence(dataset: Dataset, keyword: str) -> bool:
    """Tell whether an attribute is a sequence, even one without items."""
    return _is_empty(dataset, keyword) or isinstance(read(dataset, keyword), Items)


def is_code_string(value: str) -> bool:
    """Tell whether a single value follows the rules of VR CS (PS3.5 6.2)."""
    return CODE_STRING.fullmatch(value) is not None


def with_zone(moment: datetime) -> str:
    """A DT value with its offset from UTC."""
    return moment.strftime("%Y%m%d%H%M%S.%f%z")


def _encode_like(target: Dataset, source: Dataset) -> None:
    implicit_vr, little_endian = source.original_encoding
    target.set_original_encoding(implicit_vr, little_endian, source.original_character_set)


def _conforms(dataset: Dataset, keyword: str) -> bool:
    """Tell whether a value follows the rules of its VR and VM, so that a Modified Attributes Sequence may contain it."""
    item = dataset.get_item(keyword)
    declared, demanded = item.VR, dictionary_VR(keyword)
    if declared not in (None, "UN", demanded):
        return False
    if demanded == "SQ":
        return is_readable_sequence(dataset, keyword)
    if demanded != "CS":
        return read(dataset, keyword) is not None
    values = _bytes(item).rstrip(b" \0").split(b"\\")
    return len(values) == VALUES.get(keyword, 1) and all(is_code_string(value.decode("latin-1")) for value in values)


def _is_empty(dataset: Dataset, keyword: str) -> bool:
    item = dataset.get_item(keyword)
    return not item.value if isinstance(item, RawDataElement) else bool(item.is_empty)


def _malformed(item: DataElement | RawDataElement) -> Dataset:
    value = _bytes(item)
    record = Dataset()
    record.SelectorAttribute = Tag(item.tag)
    record.SelectorValueNumber = 0
    record.NonconformingDataElementValue = value + b" " * (len(value) % 2)
    return record


def _bytes(item: DataElement | RawDataElement) -> bytes:
    """The bytes of a value in the file; for a value that is already decoded, its text as bytes."""
    if isinstance(item, RawDataElement) or isinstance(item.value, bytes):
        return bytes(item.value or b"")
    if item.value is None:
        return b""
    values = [item.value] if isinstance(item.value, str) or not isinstance(item.value, Iterable) else item.value
    return "\\".join(map(str, values)).encode("ascii", "replace")
