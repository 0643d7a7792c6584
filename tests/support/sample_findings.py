"""Hand-made answers and pictures: what the analysis would say of a study, and a small full-field mammogram that fits its IOD."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from models.vocabulary import Density, ImageKind, Laterality, View
from service.domain.findings import (
    Agreement,
    BreastFinding,
    Conclusion,
    CorrectionKind,
    ImageFinding,
    InstanceState,
    Label,
    LabelCorrection,
    ModelIdentity,
    Reason,
    TriageFlag,
)
from service.report.coding import code_item
from service.report.label_changes import DecidedCorrection, Decision

CONCLUDED_AT = datetime(2026, 3, 5, 14, 30, 15, tzinfo=UTC)
NAMES_IN_CHARACTER_SETS = [
    pytest.param("ISO_IR 100", "Phantom^Äußerst", id="latin1"),
    pytest.param("ISO_IR 192", "Łukasiewicz^Żaneta", id="utf8"),
    pytest.param("GB18030", "Wang^XiaoDong=王^小东", id="gb18030"),
    pytest.param(["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", id="jis"),
]
"""Specific Character Set, and a name that needs it."""
LABELER = ModelIdentity(name="mammotriage-labeler", version="1.0.0", sha256="a" * 64, task="labeler")
CANCER = ModelIdentity(name="mammotriage-cancer", version="2.1.0", sha256="b" * 64, task="cancer", calibration="platt")
NEVER_CALIBRATED = CANCER.model_copy(update={"calibration": "none"})


def label(value: str, confidence: float = 0.99) -> Label:
    return Label(value=value, confidence=confidence, probabilities={value: confidence})


def analysed(uid: str, side: str, view: str, score: float = 0.2, density: str = "B", cancer: ModelIdentity = CANCER) -> ImageFinding:
    return ImageFinding(
        sop_instance_uid=uid,
        state=InstanceState.ANALYSED,
        kind=ImageKind.FULL_FIELD,
        view=label(view),
        laterality=label(side),
        density=label(density, 0.7),
        cancer_score=score,
        chest_wall_right=side == "R",
        models=(LABELER, cancer),
        provider="CPUExecutionProvider",
    )


def skipped(uid: str, code: str, text: str, state: InstanceState = InstanceState.SKIPPED) -> ImageFinding:
    return ImageFinding(sop_instance_uid=uid, state=state, reason=Reason(code=code, text=text))


def correction(
    uid: str,
    declared: tuple[str, str],
    pixels: tuple[str, str],
    view: Agreement = Agreement.MISSING,
    laterality: Agreement = Agreement.MISSING,
    kind: CorrectionKind | None = None,
) -> LabelCorrection:
    """Labels as (side, view); the kind is what follows from one image alone, unless it is given."""
    compared = {view, laterality}
    if kind is None and Agreement.CONTRADICT in compared:
        kind = CorrectionKind.CONTRADICTS
    elif kind is None and Agreement.MISSING in compared:
        kind = CorrectionKind.MISSING
    return LabelCorrection(
        sop_instance_uid=uid,
        view=view,
        laterality=laterality,
        declared_view=View(declared[1]),
        declared_laterality=Laterality(declared[0]),
        pixel_view=View(pixels[1]),
        pixel_laterality=Laterality(pixels[0]),
        kind=kind,
        confidence=0.99,
        reason="missing label filled from the pixels" if kind is CorrectionKind.MISSING else "the pixels show other labels",
    )


def decided(
    correction: LabelCorrection, finding: ImageFinding, actor: str = "A. Reader", reason: str = "seen on the screen"
) -> DecidedCorrection:
    """A correction that a person approved."""
    return DecidedCorrection(correction, Decision(actor, reason, CONCLUDED_AT), finding.models, finding.chest_wall_right)


def concluded(
    study_instance_uid: str,
    images: Iterable[ImageFinding],
    corrections: Iterable[LabelCorrection] = (),
    version: int = 1,
    complete: bool = True,
) -> Conclusion:
    images = tuple(images)
    sides: dict[str, list[ImageFinding]] = {}
    for image in images:
        if image.laterality:
            sides.setdefault(image.laterality.value, []).append(image)
    breasts = tuple(
        BreastFinding(
            laterality=Laterality(side),
            score=max(image.cancer_score or 0 for image in views),
            density=Density.C,
            images=tuple(image.sop_instance_uid for image in views),
        )
        for side, views in sides.items()
    )
    score = max((breast.score or 0 for breast in breasts), default=None)
    return Conclusion(
        study_instance_uid=study_instance_uid,
        version=version,
        fingerprint=f"{version:064x}",
        concluded_at=CONCLUDED_AT,
        complete=complete,
        images=images,
        breasts=breasts,
        density=Density.C if breasts else Density.UNKNOWN,
        score=score,
        threshold=0.5 if breasts else None,
        flag=TriageFlag.NOT_SCORED if score is None else TriageFlag.SUSPICIOUS if score >= 0.5 else TriageFlag.ROUTINE,
        corrections=tuple(corrections),
        models=tuple({model.name: model for image in images for model in image.models}.values()),
    )


def full_field(side: str = "R", view: str = "CC", labelled: bool = True, study_instance_uid: str | None = None) -> Dataset:
    """A Digital Mammography X-Ray Image - For Presentation of 256 x 192 pixels with all that its IOD demands."""
    image = Dataset()
    image.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    image.SOPInstanceUID = generate_uid()
    image.StudyInstanceUID = study_instance_uid or generate_uid()
    image.SeriesInstanceUID = generate_uid()
    image.SpecificCharacterSet = "ISO_IR 100"
    image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "Phantom^Äußerst", "PH-1", "19600101", "F"
    image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber = "20260305", "141500", "S1", "A1"
    image.SeriesDate, image.SeriesTime, image.AcquisitionDate, image.AcquisitionTime = "20260305", "141600", "20260305", "141700"
    image.ContentDate, image.ContentTime = "20260305", "141701"
    image.ReferringPhysicianName = None
    image.Modality, image.SeriesNumber, image.InstanceNumber = "MG", 1, 1
    image.SeriesDescription = "screening"
    image.Manufacturer, image.ManufacturerModelName = "Phantom works", "P1"
    image.DeviceSerialNumber, image.SoftwareVersions = "7", "1.0"
    image.PresentationIntentType = "FOR PRESENTATION"
    image.ImageType = ["ORIGINAL", "PRIMARY"]
    image.BodyPartExamined, image.PositionerType = "BREAST", "MAMMOGRAPHIC"
    image.AnatomicRegionSequence = [code_item("76752008", "SCT", "Breast")]
    image.OrganExposed = "BREAST"
    image.BreastImplantPresent = "NO"
    image.PartialView = "NO"
    image.BurnedInAnnotation, image.LossyImageCompression = "NO", "00"
    image.AcquisitionContextSequence = []
    image.ImagerPixelSpacing, image.DetectorType = [0.1, 0.1], "DIRECT"
    image.KVP = "28"
    image.PixelIntensityRelationship, image.PixelIntensityRelationshipSign = "LOG", -1
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = 0, 1, "US"
    image.PresentationLUTShape = "IDENTITY"
    image.WindowCenter, image.WindowWidth = 2048, 4096
    image.QualityControlImage = "NO"
    image.PatientOrientation = ["P", "L" if view == "CC" else "FL"] if side == "R" else ["A", "R" if view == "CC" else "FR"]
    if labelled:
        image.ImageLaterality = side
        image.ViewPosition = view
        codes = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}
        item = code_item(codes[view][0], "SCT", codes[view][1])
        item.ViewModifierCodeSequence = []
        image.ViewCodeSequence = [item]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns = 256, 192
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelData = np.random.default_rng(3).integers(0, 4096, (256, 192), np.uint16).tobytes()
    image["PixelData"].VR = "OW"
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def as_received(image: Dataset, folder: Path) -> Dataset:
    """The image as it comes from disk: elements not yet decoded."""
    path = folder / f"{image.SOPInstanceUID}.dcm"
    image.save_as(path, enforce_file_format=True)
    return pydicom.dcmread(path)
