"""The header of a full-field digital mammogram, changed as a test asks."""

from __future__ import annotations

from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian


def code(value: str, scheme: str = "SCT", **more: Any) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "for people"
    for keyword, each in more.items():
        setattr(item, keyword, each)
    return item


def mammogram(**attributes: Any) -> Dataset:
    """A header of a full-field digital mammogram, changed as asked; None takes an attribute away."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    fields: dict[str, Any] = {
        "SOPClassUID": DigitalMammographyXRayImageStorageForPresentation,
        "SOPInstanceUID": "2.25.1",
        "StudyInstanceUID": "2.25.2",
        "SeriesInstanceUID": "2.25.3",
        "Modality": "MG",
        "PresentationIntentType": "FOR PRESENTATION",
        "ImageType": ["ORIGINAL", "PRIMARY", ""],
        "Rows": 8,
        "Columns": 4,
        "SamplesPerPixel": 1,
        "PixelData": bytes(64),
    }
    for keyword, value in (fields | attributes).items():
        if value is not None:
            tag, mode = pydicom.tag.Tag(keyword), pydicom.config.IGNORE  # odd values are wanted here
            dataset.add(pydicom.DataElement(tag, pydicom.datadict.dictionary_VR(tag), value, validation_mode=mode))
    return dataset
