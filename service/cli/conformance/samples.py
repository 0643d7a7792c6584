"""Two made-up studies that differ in every value, and each kind of object built of them: what is in an object is read from the object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from models.vocabulary import MODIFIER_CODES, VIEW_CODES, Density, Laterality, View, ViewModifier
from service.domain.findings import (
    Agreement,
    BreastFinding,
    Conclusion,
    CorrectionKind,
    Evidence,
    ImageFinding,
    InstanceState,
    Label,
    LabelCorrection,
    ModelIdentity,
    ObjectKind,
    Peak,
    Reason,
    Reasoning,
    TriageFlag,
    Verdict,
)
from service.report.cad_report import build_cad_report, cad_reference
from service.report.coding import code_item
from service.report.corrected_instance import build_corrected, build_reverted
from service.report.label_changes import DecidedCorrection, Decision
from service.report.presentation_state import build_marks
from service.report.rejection_note import build_rejection_note
from service.report.secondary_capture import build_heatmap
from service.report.structured_report import build_report, report_reference

ROWS, COLUMNS = 64, 48
_DECLARED = (
    (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")),
    (("L", "CC"), ("R", "CC"), ("R", "MLO"), ("L", "MLO")),
)
_SEEN = ((("R", "MLO"), ("L", "CC")), (("L", "CC"), ("L", "CC")))
"""In the first study a view is declared wrongly, at its first image; in the second one a side, at its second image."""


@dataclass(frozen=True)
class Sample:
    """One study: the first image as received, and what is made of it, by kind."""

    source: Dataset
    objects: Mapping[ObjectKind, Dataset]
    overwritten: Dataset


def build_samples() -> tuple[Sample, Sample]:
    """Build everything twice: what is equal in both is fixed, what follows the source is copied, the rest is generated."""
    return _build(0), _build(1)


def _build(number: int) -> Sample:
    sources = [_image(number, place) for place in range(len(_DECLARED[number]))]
    models = tuple(
        ModelIdentity(
            name=f"sample-{task}",
            version=f"{number}.0",
            sha256=f"{number}{place}" * 32,
            task=task,
            calibration=("none", "platt")[number],
        )
        for place, task in enumerate(("labeler", "cancer"))
    )
    conclusion = _conclude(number, sources, models)
    source, finding, correction = sources[number], conclusion.images[number], conclusion.corrections[number]
    decision = Decision(f"Reader {number}", f"reason {number}", conclusion.concluded_at)
    decided = DecidedCorrection(correction, decision, models, finding.chest_wall_right)
    picture = np.zeros((ROWS + number, COLUMNS + number, 3), np.uint8)
    former = conclusion.model_copy(update={"version": conclusion.version - 1})
    return Sample(
        source,
        {
            ObjectKind.CAD: build_cad_report(conclusion, sources, cad_reference(former)),
            ObjectKind.REPORT: build_report(conclusion, sources, report_reference(former)),
            ObjectKind.HEATMAP: build_heatmap(conclusion, finding, source, picture, picture),
            ObjectKind.MARKS: build_marks(conclusion, finding, source),
            ObjectKind.CORRECTED: build_corrected(decided, source, "new-series"),
            ObjectKind.REVERTED: build_reverted(decided, decision, source, "new-series"),
            ObjectKind.REJECTION: build_rejection_note(decided, source),
        },
        build_corrected(decided, source, "overwrite"),
    )


def _conclude(number: int, sources: list[Dataset], models: tuple[ModelIdentity, ...]) -> Conclusion:
    uids = [str(source.SOPInstanceUID) for source in sources]
    images = [
        ImageFinding(
            sop_instance_uid=uids[place],
            state=InstanceState.ANALYSED,
            view=_label(view),
            laterality=_label(side),
            density=_label("B"),
            cancer_score=0.8 + number / 10,
            peak=Peak(row=20.0 + number, column=20.0, strength=0.9),
            chest_wall_right=side == "R",
            outline=((10.0, 10.0), (10.0, 30.0), (30.0 + number, 20.0)) if place == number else (),
            models=models,
        )
        for place, (side, view) in enumerate(_SEEN[number])
    ]
    reasons = (InstanceState.SKIPPED, "for-processing"), (InstanceState.FAILED, "unparsable")
    images += [
        ImageFinding(sop_instance_uid=uid, state=state, reason=Reason(code=code, text="reason"))
        for uid, (state, code) in zip(uids[2:], reasons, strict=True)
    ]
    evidence = Evidence(code="other-image", text="the other image bears it out", sop_instance_uid=uids[1 - number])
    compared = zip(uids, _DECLARED[number], _SEEN[number], strict=False)
    corrections = [_compare(uid, declared, seen, evidence) for uid, declared, seen in compared]
    return Conclusion(
        study_instance_uid=str(sources[0].StudyInstanceUID),
        version=2 + number,
        fingerprint="0" * 64,
        concluded_at=datetime(2026, 1 + number, 2 + number, 3 + number, 4, tzinfo=UTC),
        complete=bool(number),
        images=tuple(images),
        breasts=tuple(
            BreastFinding(laterality=side, score=0.8, density=Density.B, images=(uid,))
            for side, uid in zip((Laterality.R, Laterality.L), uids, strict=False)
        ),
        density=Density.B,
        score=0.8 + number / 10,
        threshold=0.5,
        flag=TriageFlag.SUSPICIOUS,
        corrections=tuple(corrections),
        reasoning=Reasoning(verdict=Verdict.ONE_WRONG_LABEL, text="one image is labelled wrongly"),
        models=models,
    )


def _compare(uid: str, declared: tuple[str, str], seen: tuple[str, str], evidence: Evidence) -> LabelCorrection:
    side, view = (Agreement.AGREE if one == other else Agreement.CONTRADICT for one, other in zip(declared, seen, strict=True))
    differs = declared != seen
    return LabelCorrection(
        sop_instance_uid=uid,
        view=view,
        laterality=side,
        declared_view=View(declared[1]),
        declared_laterality=Laterality(declared[0]),
        pixel_view=View(seen[1]),
        pixel_laterality=Laterality(seen[0]),
        kind=CorrectionKind.CONTRADICTS if differs else None,
        confidence=0.99,
        evidence=(evidence,) if differs else (),
        reason="the pixels show another label" if differs else "",
    )


def _label(value: str) -> Label:
    return Label(value=value, confidence=0.99, probabilities={value: 0.99})


def _image(number: int, place: int) -> Dataset:
    """A Digital Mammography X-Ray Image with the attributes that our objects take over."""
    side, view = _DECLARED[number][place]
    root = f"2.25.{number + 1}"
    image = Dataset()
    image.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    image.SOPInstanceUID, image.SeriesInstanceUID = f"{root}.{place}.1", f"{root}.{place}"
    image.StudyInstanceUID = root
    image.SpecificCharacterSet = ("ISO_IR 100", "ISO_IR 192")[number]
    image.TimezoneOffsetFromUTC = ("+0000", "+0100")[number]
    image.PatientName, image.PatientID, image.IssuerOfPatientID = f"Sample^{number}", f"S{number}", f"I{number}"
    image.PatientBirthDate, image.PatientSex, image.PatientAge = f"196{number}0101", "FO"[number], f"06{number}Y"
    image.StudyDate, image.StudyTime = f"2026010{number + 1}", f"0{number}0000"
    image.StudyID, image.AccessionNumber, image.StudyDescription = f"ID{number}", f"A{number}", f"Study {number}"
    image.ReferringPhysicianName = f"Sample^Physician {number}"
    image.Modality, image.InstanceNumber = "MG", 10 * (number + 1) + place
    image.Manufacturer = f"Maker {number}"
    image.ImageType = ["ORIGINAL", "PRIMARY"]
    image.PatientOrientation = ["P", "L"] if side == "R" else ["A", "R"]
    image.ImageLaterality, image.ViewPosition = side, view
    code = VIEW_CODES[View(view)]
    declared = code_item(code.value, code.scheme, code.meaning)
    modifier = MODIFIER_CODES[ViewModifier.TAN]
    declared.ViewModifierCodeSequence = [code_item(modifier.value, modifier.scheme, modifier.meaning)]
    image.ViewCodeSequence = [declared]
    image.ImagerPixelSpacing = [0.1, 0.1]
    image.ContentDate, image.ContentTime = f"2026010{number + 1}", f"0{number}0001"
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = number, 1 + number, ("US", "HU")[number]
    image.WindowCenter, image.WindowWidth = 100 + number, 200 + number
    image.PresentationLUTShape = ("IDENTITY", "INVERSE")[number]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns = ROWS + number, COLUMNS + number
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelData = bytes(2 * (ROWS + number) * (COLUMNS + number))
    image["PixelData"].VR = "OW"
    image.set_original_encoding(False, True, "iso8859")
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image
