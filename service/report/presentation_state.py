"""The mark on an image as a Grayscale Softcopy Presentation State (PS3.3 A.33.1): lines over the image, which is not changed."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.uid import ExplicitVRLittleEndian, GrayscaleSoftcopyPresentationStateStorage

from models.attributes import read_items, read_number, read_term, read_text
from service.domain.findings import Conclusion, ImageFinding, Peak
from service.errors import NothingToMark
from service.report.algorithm import is_calibrated
from service.report.common_modules import begin_object, dicom_date_time, file_meta, local_time
from service.report.marks import is_marked
from service.report.uids import derive_series_uid, marks_uid

SERIES_NUMBERS = {"R": 9004, "L": 9005, "": 9006}
"""By breast."""
LAYER = "MARKS"
RADIUS = 0.03
"""Radius of the circle that replaces a missing outline, as a fraction of the shorter side of the image."""
GRAYSCALE = frozenset({"MONOCHROME1", "MONOCHROME2"})


def build_marks(conclusion: Conclusion, finding: ImageFinding, source: Dataset) -> Dataset:
    """Build the presentation state with the mark of one image.

    Parameters
    ----------
    conclusion
        The conclusion of the study; gives the time and the operating point.
    finding
        The finding of the image.
    source
        Header of the image. Its grey scale is copied, because that of a presentation state replaces it (PS3.4 N.2.1).

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta.

    Raises
    ------
    NothingToMark
        See `service.report.marks.is_marked`.
    """
    peak = finding.peak
    if not is_marked(conclusion, finding) or peak is None:
        raise NothingToMark("no region of the image reaches the operating point")
    if read_term(source, "PhotometricInterpretation") not in GRAYSCALE:
        raise NothingToMark("the image is not grayscale")
    moment = local_time(source, conclusion.concluded_at)
    state = begin_object(source, moment, finding.models)
    state.SOPClassUID = GrayscaleSoftcopyPresentationStateStorage
    state.SOPInstanceUID = marks_uid(conclusion, finding)
    state.Modality = "PR"
    # The module has the laterality of a series and not of an image (PS3.3 C.7.3.1), so each breast has a series of its own.
    side = finding.laterality.value if finding.laterality and finding.laterality.value in ("R", "L") else ""
    state.SeriesInstanceUID = derive_series_uid(conclusion.study_instance_uid, f"gsps:{side}")
    state.SeriesNumber = SERIES_NUMBERS[side]
    state.SeriesDescription = "mammotriage marks"
    state.Laterality = side
    state.InstanceNumber = 1 + [image.sop_instance_uid for image in conclusion.images].index(finding.sop_instance_uid)
    state.PresentationCreationDate, state.PresentationCreationTime = dicom_date_time(moment)
    state.ContentLabel = "MAMMOTRIAGE"
    state.ContentDescription = "Region with the highest cancer score. Not for diagnosis"
    state.ContentCreatorName = None
    state.ReferencedSeriesSequence = [_reference(source)]
    state.DisplayedAreaSelectionSequence = [_displayed_area(source)]
    state.GraphicLayerSequence = [_layer()]
    state.GraphicAnnotationSequence = [_annotation(finding, peak, source)]
    for element in _grey_scale(source):
        state.add(element)
    state.file_meta = file_meta(state, ExplicitVRLittleEndian)
    return state


def _reference(source: Dataset) -> Dataset:
    """Presentation State Relationship (PS3.3 C.11.11)."""
    image = Dataset()
    image.ReferencedSOPClassUID = source.SOPClassUID
    image.ReferencedSOPInstanceUID = source.SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID = source.SeriesInstanceUID
    series.ReferencedImageSequence = [image]
    return series


def _displayed_area(source: Dataset) -> Dataset:
    """The whole image, as large as the screen allows (PS3.3 C.10.4)."""
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [int(source.Columns), int(source.Rows)]
    area.PresentationSizeMode = "SCALE TO FIT"
    area.PresentationPixelAspectRatio = _aspect_ratio(source)
    return area


def _aspect_ratio(source: Dataset) -> list[str]:
    """Vertical to horizontal size of a pixel as the image declares it; square if it declares none."""
    stated = read_text(source, "PixelAspectRatio").split("\\")
    return stated if len(stated) == 2 and all(value.isdigit() and int(value) for value in stated) else ["1", "1"]


def _layer() -> Dataset:
    layer = Dataset()
    layer.GraphicLayer = LAYER
    layer.GraphicLayerOrder = 1
    layer.GraphicLayerRecommendedDisplayGrayscaleValue = 0xFFFF
    layer.GraphicLayerDescription = "Marks by software, not reviewed"
    return layer


def _annotation(finding: ImageFinding, peak: Peak, source: Dataset) -> Dataset:
    """The outline, or a circle, with a line of text next to it (PS3.3 C.10.5)."""
    rows, columns = int(source.Rows), int(source.Columns)
    graphic = Dataset()
    graphic.GraphicAnnotationUnits = "PIXEL"
    graphic.GraphicDimensions = 2
    if finding.outline:
        points = [*finding.outline, finding.outline[0]]
        graphic.GraphicType = "POLYLINE"
    else:
        reach = peak.column + RADIUS * min(rows, columns)
        points = [(peak.row, peak.column), (peak.row, reach if reach <= columns else 2 * peak.column - reach)]
        graphic.GraphicType = "CIRCLE"
    inside = [(min(max(row, 0.0), float(rows)), min(max(column, 0.0), float(columns))) for row, column in points]
    graphic.NumberOfGraphicPoints = len(inside)
    graphic.GraphicData = [value for row, column in inside for value in (column, row)]
    graphic.GraphicFilled = "N"
    text = Dataset()
    text.UnformattedTextValue = _legend(finding)
    text.AnchorPointAnnotationUnits = "PIXEL"
    text.AnchorPoint = [max(column for _, column in inside), min(row for row, _ in inside)]
    text.AnchorPointVisibility = "N"
    annotation = Dataset()
    annotation.GraphicLayer = LAYER
    annotation.TextObjectSequence = [text]
    annotation.GraphicObjectSequence = [graphic]
    return annotation


def _legend(finding: ImageFinding) -> str:
    kind = "calibrated" if is_calibrated(finding.models) else "not calibrated"
    return f"mammotriage, score {finding.cancer_score:.2f} ({kind}). Not for diagnosis"


def _grey_scale(source: Dataset) -> Iterator[DataElement]:
    """Modality LUT, Softcopy VOI LUT and Softcopy Presentation LUT (PS3.3 C.11.1, C.11.8, C.11.6), copied from the image."""
    tables = Dataset()
    for keyword in ("PixelRepresentation", "ModalityLUTSequence", "VOILUTSequence"):
        if keyword in source:
            tables.add(deepcopy(source[keyword]))
    # The VR of a table's values depends on Pixel Representation, which a presentation state does not have (PS3.3 C.11.1.1).
    correct_ambiguous_vr(tables, True)
    if read_items(tables, "ModalityLUTSequence"):
        yield tables["ModalityLUTSequence"]
    elif read_number(source, "RescaleSlope") is not None and read_number(source, "RescaleIntercept") is not None:
        rescale = Dataset()
        rescale.RescaleIntercept, rescale.RescaleSlope = source.RescaleIntercept, source.RescaleSlope
        rescale.RescaleType = read_term(source, "RescaleType") or "US"
        yield from rescale
    window = _window(source, tables)
    if window is not None:
        softcopy = Dataset()
        softcopy.SoftcopyVOILUTSequence = [window]
        yield softcopy["SoftcopyVOILUTSequence"]
    shape = Dataset()
    inverse = read_term(source, "PresentationLUTShape") == "INVERSE" or (
        read_term(source, "PhotometricInterpretation") == "MONOCHROME1" and read_term(source, "PresentationLUTShape") != "IDENTITY"
    )
    shape.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    yield shape["PresentationLUTShape"]


def _window(source: Dataset, tables: Dataset) -> Dataset | None:
    """The first VOI transformation of the image: a table takes precedence over a window (PS3.3 C.11.2.1.1)."""
    window = Dataset()
    found = read_items(tables, "VOILUTSequence")
    if found:
        window.VOILUTSequence = [found[0]]
        return window
    center, width = read_number(source, "WindowCenter"), read_number(source, "WindowWidth")
    if center is None or width is None or width <= 0:
        return None
    window.WindowCenter, window.WindowWidth = f"{center:.10g}", f"{width:.10g}"
    function = read_term(source, "VOILUTFunction")
    if function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        window.VOILUTFunction = function
    return window
