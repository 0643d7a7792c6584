"""The heatmap as a colour picture that every archive and viewer shows (Secondary Capture Image, PS3.3 A.8.1)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from models.vocabulary import Laterality
from service.domain.findings import Conclusion, ImageFinding
from service.report.coding import code_item
from service.report.envelope import copy_patient_and_study, dicom_date_time, file_meta, local_time, stamp_creation, stamp_equipment
from service.report.uids import heatmap_uid, series_uid

SERIES_NUMBER = 9002


def build_heatmap(conclusion: Conclusion, finding: ImageFinding, source: Dataset, overlay_rgb: NDArray[np.uint8]) -> Dataset:
    """Build the heatmap picture of one image.

    Parameters
    ----------
    conclusion
        The study's answer; gives the time.
    finding
        The image's answer.
    source
        Header of the image.
    overlay_rgb
        Picture blended with its heatmap, shape (rows, columns, 3). It may be smaller than the source: no pixel spacing is stated.

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta. A legend stands below the picture and covers none of it.
    """
    picture = np.concatenate([overlay_rgb, _legend(finding, overlay_rgb.shape[1])])
    moment = local_time(source, conclusion.concluded_at)
    capture = Dataset()
    copy_patient_and_study(source, capture)
    stamp_equipment(capture)
    stamp_creation(capture, moment)

    capture.SOPClassUID = SecondaryCaptureImageStorage
    capture.SOPInstanceUID = heatmap_uid(conclusion, finding)
    capture.SeriesInstanceUID = series_uid(conclusion.study_instance_uid, "sc")
    capture.SeriesNumber = SERIES_NUMBER
    # No view in the description: hanging protocols would take a picture called "L CC" for the mammogram.
    capture.SeriesDescription = "mammotriage heatmaps"
    capture.Modality = "OT"
    capture.ConversionType = "WSD"
    capture.InstanceNumber = 1 + [image.sop_instance_uid for image in conclusion.images].index(finding.sop_instance_uid)
    capture.ContentDate, capture.ContentTime = dicom_date_time(moment)
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.PatientOrientation = None
    if finding.laterality and finding.laterality.value in (Laterality.L, Laterality.R):
        capture.ImageLaterality = finding.laterality.value
    else:
        capture.Laterality = None
    capture.DerivationDescription = "Heatmap of a cancer score blended with the image. Not for diagnosis."
    capture.SourceImageSequence = [_reference(source)]

    capture.SamplesPerPixel = 3
    capture.PhotometricInterpretation = "RGB"
    capture.PlanarConfiguration = 0
    capture.Rows, capture.Columns = picture.shape[:2]
    capture.BitsAllocated = capture.BitsStored = 8
    capture.HighBit = 7
    capture.PixelRepresentation = 0
    pixels = picture.tobytes()
    capture.PixelData = pixels + b"\0" * (len(pixels) % 2)
    capture["PixelData"].VR = "OB"
    capture.file_meta = file_meta(capture, ExplicitVRLittleEndian)
    return capture


def _legend(finding: ImageFinding, columns: int) -> NDArray[np.uint8]:
    """Lines of text on black, shape (rows, columns, 3), in letters that fit the width."""
    models = [f"{model.name} {model.version} ({model.sha256[:12]})" for model in finding.models]
    score = "no score" if finding.cancer_score is None else f"score {finding.cancer_score:.3f}"
    lines = [f"mammotriage heatmap, {score}", *models, "Not for diagnosis"]
    font, margin = cv2.FONT_HERSHEY_SIMPLEX, 8
    widest = max(cv2.getTextSize(line, font, 1.0, 1)[0][0] for line in lines)
    scale = min(1.0, max(0.1, (columns - 2 * margin) / widest))
    pitch = max(8, round(36 * scale))
    strip = np.zeros((pitch * len(lines) + 2 * margin, columns, 3), np.uint8)
    for number, line in enumerate(lines, 1):
        cv2.putText(strip, line, (margin, number * pitch), font, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return strip


def _reference(source: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = source.SOPClassUID
    item.ReferencedSOPInstanceUID = source.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = [code_item("121322", "DCM", "Source image for image processing operation")]
    return item
