"""The image and its heatmap side by side, as a colour image that every archive and viewer can show (Secondary Capture, PS3.3 A.8.1)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from models.vocabulary import VIEW_CODES, Laterality, View
from service.domain.findings import Conclusion, ImageFinding
from service.report.algorithm import is_calibrated
from service.report.coding import code_item
from service.report.common_modules import begin_object, dicom_date_time, file_meta, local_time
from service.report.uids import derive_series_uid, heatmap_uid

SERIES_NUMBER = 9002
GAP, MARGIN = 8, 8
"""In pixels of the produced image."""
FONT = cv2.FONT_HERSHEY_SIMPLEX


def build_heatmap(
    conclusion: Conclusion,
    finding: ImageFinding,
    source: Dataset,
    overlay_rgb: NDArray[np.uint8],
    preview_rgb: NDArray[np.uint8] | None = None,
) -> Dataset:
    """Build the heatmap of one image.

    Parameters
    ----------
    conclusion
        The conclusion of the study; gives the time.
    finding
        The finding of the image.
    source
        Header of the image.
    overlay_rgb
        The image blended with its heatmap, shape (rows, columns, 3). It may be smaller than the source, so no pixel spacing is written.
    preview_rgb
        The same image without colours, of the same shape, for the left half. None if it is no longer stored: the heatmap is alone.

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta. The legend is below the images and does not cover them.

    Raises
    ------
    ValueError
        The two images differ in shape.
    """
    images = overlay_rgb if preview_rgb is None else _join(preview_rgb, overlay_rgb)
    picture = np.concatenate([images, _legend(conclusion, finding, images.shape[1])])
    moment = local_time(source, conclusion.concluded_at)
    capture = begin_object(source, moment, finding.models)
    capture.SOPClassUID = SecondaryCaptureImageStorage
    capture.SOPInstanceUID = heatmap_uid(conclusion, finding)
    capture.SeriesInstanceUID = derive_series_uid(conclusion.study_instance_uid, "sc")
    capture.SeriesNumber = SERIES_NUMBER
    # The description does not contain the view: a hanging protocol would take a series "L CC" for the mammogram.
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
    if finding.view and (view := VIEW_CODES.get(View(finding.view.value))):
        # Hanging rules of viewers match by view; viewers fail where an image of the study has none.
        capture.ViewCodeSequence = [code_item(view.value, view.scheme, view.meaning)]
    capture.DerivationDescription = "The image, and next to it the image blended with the heatmap of a cancer score. Not for diagnosis."
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


def _join(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Both images with a dark gap between them."""
    if left.shape != right.shape:
        raise ValueError(f"images of shape {left.shape} and {right.shape} cannot be joined side by side")
    return np.concatenate([left, np.zeros((left.shape[0], GAP, 3), np.uint8), right], axis=1)


def _legend(conclusion: Conclusion, finding: ImageFinding, columns: int) -> NDArray[np.uint8]:
    """Lines of text and the scale of colours on black, shape (rows, columns, 3), in a font size that fits the width."""
    score = "no score" if finding.cancer_score is None else f"score {finding.cancer_score:.3f}"
    kind = "" if is_calibrated(finding.models) else " (not calibrated)"
    point = "" if conclusion.threshold is None else f", operating point {conclusion.threshold:.3f}"
    models = [f"{model.name} {model.version} ({model.sha256[:12]})" for model in finding.models]
    lines = [f"mammotriage heatmap, {score}{kind}{point}", *models, "Not for diagnosis", "Suspicion, low to high:"]
    widest = max(cv2.getTextSize(line, FONT, 1.0, 1)[0][0] for line in lines)
    scale = min(1.0, max(0.1, (columns - 2 * MARGIN) / widest))
    pitch = max(8, round(36 * scale))
    strip = np.zeros((pitch * (len(lines) + 1) + 2 * MARGIN, columns, 3), np.uint8)
    for number, line in enumerate(lines, 1):
        cv2.putText(strip, line, (MARGIN, number * pitch), FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)
    bar = strip[pitch * len(lines) + MARGIN : pitch * (len(lines) + 1), MARGIN : columns - MARGIN]
    if bar.size:
        grey = np.linspace(0, 255, bar.shape[1]).astype(np.uint8)[None].repeat(bar.shape[0], 0)
        bar[:] = cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    return strip


def _reference(source: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = source.SOPClassUID
    item.ReferencedSOPInstanceUID = source.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = [code_item("121322", "DCM", "Source image for image processing operation")]
    return item
