"""Headers of mammograms with freely chosen declarations of view and side, and studies of them."""

from __future__ import annotations

from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from service.domain.findings import ImageFinding, InstanceState, Label, LabelCorrection
from service.domain.header import read_header
from service.domain.label_evaluation import evaluate_labels
from service.domain.study_image import StudyImage


def coded(value: str, scheme: str = "SCT", meaning: str = "for people", **more: Any) -> Dataset:
    """An item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    for keyword, each in more.items():
        setattr(item, keyword, each)
    return item


def declared_mammogram(**attributes: Any) -> Dataset:
    """A full-field digital mammogram that declares neither view nor side, with the given attributes; odd values are allowed."""
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
        "SpecificCharacterSet": "ISO_IR 192",
        "PixelData": bytes(2),
    }
    for keyword, value in (fields | attributes).items():
        tag = pydicom.tag.Tag(keyword)
        vr = pydicom.datadict.dictionary_VR(tag)
        dataset.add(pydicom.DataElement(tag, "OB" if vr == "OB or OW" else vr, value, validation_mode=pydicom.config.IGNORE))
    return dataset


def analysed_as(dataset: Dataset, side: str, view: str) -> StudyImage:
    """The image, whose pixels show this side and view."""
    finding = ImageFinding(
        sop_instance_uid=str(dataset.SOPInstanceUID),
        state=InstanceState.ANALYSED,
        view=Label(value=view, confidence=0.97, probabilities={"CC": 0.5, "MLO": 0.5}),
        laterality=Label(value=side, confidence=0.97, probabilities={"L": 0.5, "R": 0.5}),
        chest_wall_right=side == "R",
    )
    return StudyImage(read_header(dataset), finding)


def compare_declared(dataset: Dataset, side: str, view: str) -> LabelCorrection:
    """The correction of a study of this one image."""
    return evaluate_labels([analysed_as(dataset, side, view)]).corrections[0]
