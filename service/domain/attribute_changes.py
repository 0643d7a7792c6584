"""What an archive is asked to change in one instance that it holds: new attribute values, and the record of the former ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from service.domain.instance_reference import InstanceReference

AttributeValue = str | tuple[Dataset, ...] | None
"""Text (several values joined by backslashes, as in a file), the items of a sequence, or None for an attribute that is absent."""


@dataclass(frozen=True)
class AttributeChanges:
    """New values of one instance, and everything that the archive needs to write them."""

    instance: InstanceReference
    values: Mapping[str, AttributeValue]
    """By keyword. None removes the attribute; "" and () keep the attribute without a value."""
    reason: str
    """Code of Reason for the Attribute Modification (0400,0565)."""
    record: Dataset = field(default_factory=Dataset, repr=False)
    """The Original Attributes item with the former values (PS3.3 C.12.1.1.9), for an archive that writes none by itself."""

    @property
    def removed(self) -> tuple[str, ...]:
        """Keywords of the attributes to remove."""
        return tuple(keyword for keyword, value in self.values.items() if value is None)

    def dataset(self) -> Dataset:
        """The attributes to set, without those to remove; `to_json_dict` turns it into DICOM JSON (PS3.18 F)."""
        attributes = Dataset()
        for keyword, value in self.values.items():
            if value is not None:
                setattr(attributes, keyword, list(value) if isinstance(value, tuple) else value)
        return attributes
