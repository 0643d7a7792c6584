"""Coded concepts of the reports: those of PS3.16, and private ones for what DICOM has no code for.

A code value of the private scheme is an identifier that stays in archives. It never changes, even if the service renames the state that
it encodes; only its meaning may be reworded.
"""

from __future__ import annotations

from highdicom.sr import CodedConcept

from models.vocabulary import Code
from service.domain.findings import Agreement, CorrectionKind, TriageFlag, Verdict
from service.report.identity import CODING_SCHEME


def concept(code: Code) -> CodedConcept:
    """A code of the vocabulary as a highdicom concept."""
    return CodedConcept(code.value, code.scheme, code.meaning)


IMAGING_PROCEDURE = CodedConcept("363679005", "SCT", "Imaging procedure")
SOURCE = CodedConcept("260753009", "SCT", "Source")
COMMENT = CodedConcept("121106", "DCM", "Comment")
BREAST = CodedConcept("76752008", "SCT", "Breast")
IMAGE_VIEW = CodedConcept("111031", "DCM", "Image View")
IMAGE_LATERALITY = CodedConcept("111027", "DCM", "Image Laterality")
BREAST_COMPOSITION = CodedConcept("129715009", "SCT", "Breast composition")
QUALITY_FINDING = CodedConcept("111052", "DCM", "Quality Finding")
MARKER_INCORRECT = CodedConcept("111183", "DCM", "View and Laterality Marker is incorrect")
SUMMARY_OF_ANALYSES = CodedConcept("111065", "DCM", "Summary of Analyses")
SUCCEEDED = CodedConcept("111222", "DCM", "Succeeded")
FAILED = CodedConcept("111224", "DCM", "Failed")
NOT_ATTEMPTED = CodedConcept("111225", "DCM", "Not Attempted")
PROBABILITY_OF_CANCER = CodedConcept("111047", "DCM", "Probability of cancer")
PERCENT = CodedConcept("%", "UCUM", "Percent")
NO_UNITS = CodedConcept("1", "UCUM", "no units")

MILLIMETRE = CodedConcept("mm", "UCUM", "millimeter")

# Mammography CAD SR (TID 4000 and the templates that it includes)
CAD_REPORT = CodedConcept("111036", "DCM", "Mammography CAD Report")
LANGUAGE = CodedConcept("121049", "DCM", "Language of Content Item and Descendants")
ENGLISH = CodedConcept("en-US", "RFC5646", "English (United States)")
IMAGE_LIBRARY = CodedConcept("111028", "DCM", "Image Library")
IMAGE_VIEW_MODIFIER = CodedConcept("111032", "DCM", "Image View Modifier")
ORIENTATION_ROW = CodedConcept("111044", "DCM", "Patient Orientation Row")
ORIENTATION_COLUMN = CodedConcept("111043", "DCM", "Patient Orientation Column")
STUDY_DATE = CodedConcept("111060", "DCM", "Study Date")
STUDY_TIME = CodedConcept("111061", "DCM", "Study Time")
CONTENT_DATE = CodedConcept("111018", "DCM", "Content Date")
CONTENT_TIME = CodedConcept("111019", "DCM", "Content Time")
HORIZONTAL_SPACING = CodedConcept("111026", "DCM", "Horizontal Pixel Spacing")
VERTICAL_SPACING = CodedConcept("111066", "DCM", "Vertical Pixel Spacing")
FINDINGS_SUMMARY = CodedConcept("111017", "DCM", "CAD Processing and Findings Summary")
ALL_WITHOUT_FINDINGS = CodedConcept("111241", "DCM", "All algorithms succeeded; without findings")
ALL_WITH_FINDINGS = CodedConcept("111242", "DCM", "All algorithms succeeded; with findings")
SOME_WITHOUT_FINDINGS = CodedConcept("111243", "DCM", "Not all algorithms succeeded; without findings")
SOME_WITH_FINDINGS = CodedConcept("111244", "DCM", "Not all algorithms succeeded; with findings")
NONE_SUCCEEDED = CodedConcept("111245", "DCM", "No algorithms succeeded; without findings")
IMPRESSION_DESCRIPTION = CodedConcept("111033", "DCM", "Impression Description")
INDIVIDUAL_IMPRESSION = CodedConcept("111034", "DCM", "Individual Impression/Recommendation")
RENDERING_INTENT = CodedConcept("111056", "DCM", "Rendering Intent")
PRESENTATION_REQUIRED = CodedConcept("111150", "DCM", "Presentation Required: Rendering device is expected to present")
PRESENTATION_OPTIONAL = CodedConcept("111151", "DCM", "Presentation Optional: Rendering device may present")
SINGLE_IMAGE_FINDING = CodedConcept("111059", "DCM", "Single Image Finding")
SELECTED_REGION = CodedConcept("111099", "DCM", "Selected region")
REGION_DESCRIPTION = CodedConcept("111058", "DCM", "Selected Region Description")
IMAGE_QUALITY = CodedConcept("111101", "DCM", "Image Quality")
CERTAINTY = CodedConcept("111012", "DCM", "Certainty of Finding")
CENTER = CodedConcept("111010", "DCM", "Center")
OUTLINE = CodedConcept("111041", "DCM", "Outline")
TRACKING_IDENTIFIER = CodedConcept("112039", "DCM", "Tracking Identifier")
TRACKING_UID = CodedConcept("112040", "DCM", "Tracking Unique Identifier")
LATERALITY = CodedConcept("272741003", "SCT", "Laterality")
ALGORITHM_NAME = CodedConcept("111001", "DCM", "Algorithm Name")
ALGORITHM_VERSION = CodedConcept("111003", "DCM", "Algorithm Version")
ALGORITHM_PARAMETERS = CodedConcept("111002", "DCM", "Algorithm Parameters")
SUMMARY_OF_DETECTIONS = CodedConcept("111064", "DCM", "Summary of Detections")
SUCCESSFUL_DETECTIONS = CodedConcept("111063", "DCM", "Successful Detections")
FAILED_DETECTIONS = CodedConcept("111025", "DCM", "Failed Detections")
DETECTION_PERFORMED = CodedConcept("111022", "DCM", "Detection Performed")
SUCCESSFUL_ANALYSES = CodedConcept("111062", "DCM", "Successful Analyses")
FAILED_ANALYSES = CodedConcept("111024", "DCM", "Failed Analyses")
ANALYSIS_PERFORMED = CodedConcept("111004", "DCM", "Analysis Performed")
COMPOSITION_ANALYSIS = CodedConcept("133890006", "SCT", "Breast composition analysis")
QUALITY_ANALYSIS = CodedConcept("133887000", "SCT", "Image quality analysis")
PARTIALLY_SUCCEEDED = CodedConcept("111223", "DCM", "Partially Succeeded")

# Private concepts, for which DICOM has no code
IMAGE_ANALYSIS = CodedConcept("image-analysis", CODING_SCHEME, "Mammogram analysis, one image")
BREAST_ANALYSIS = CodedConcept("breast-analysis", CODING_SCHEME, "Mammogram analysis, one breast")
STUDY_ANALYSIS = CodedConcept("study-analysis", CODING_SCHEME, "Mammogram analysis, whole study")
UNCALIBRATED_SCORE = CodedConcept("raw-score", CODING_SCHEME, "Cancer score, not calibrated")
CONFIDENCE = {
    "view": CodedConcept("conf-view", CODING_SCHEME, "Confidence of image view"),
    "laterality": CodedConcept("conf-laterality", CODING_SCHEME, "Confidence of image laterality"),
    "density": CodedConcept("conf-density", CODING_SCHEME, "Confidence of breast composition"),
}
OPERATING_POINT = CodedConcept("threshold", CODING_SCHEME, "Operating point on the study score")
TRIAGE = CodedConcept("triage-flag", CODING_SCHEME, "Triage flag")
TRIAGE_VALUES = {
    TriageFlag.SUSPICIOUS: CodedConcept("suspicious", CODING_SCHEME, "Suspicious: read early"),
    TriageFlag.ROUTINE: CodedConcept("routine", CODING_SCHEME, "Routine"),
    TriageFlag.NOT_SCORED: CodedConcept("not-scored", CODING_SCHEME, "Not scored"),
}
VIEW_SET = CodedConcept("view-set", CODING_SCHEME, "View set seen in the pixels")
VIEW_SET_VALUES = {
    True: CodedConcept("full", CODING_SCHEME, "Full: R CC, L CC, R MLO, L MLO"),
    False: CodedConcept("not-full", CODING_SCHEME, "Not full"),
}
AGREEMENT = {
    "view": CodedConcept("agree-view", CODING_SCHEME, "Declared view against pixels"),
    "laterality": CodedConcept("agree-laterality", CODING_SCHEME, "Declared laterality against pixels"),
}
AGREEMENT_VALUES = {
    Agreement.AGREE: CodedConcept("agree", CODING_SCHEME, "Agree"),
    Agreement.MISSING: CodedConcept("missing", CODING_SCHEME, "Label missing"),
    Agreement.CONTRADICT: CodedConcept("contradict", CODING_SCHEME, "Contradict"),
    Agreement.UNSURE: CodedConcept("unsure", CODING_SCHEME, "Cannot be compared"),
}
DIFFERENCE = CodedConcept("difference", CODING_SCHEME, "Declared labels differ from pixels")
DIFFERENCE_VALUES = {
    CorrectionKind.MISSING: CodedConcept("missing", CODING_SCHEME, "Label missing"),
    CorrectionKind.CONTRADICTS: CodedConcept("contradict", CODING_SCHEME, "Contradict"),
    CorrectionKind.MIRRORED: CodedConcept("mirrored", CODING_SCHEME, "Whole image mirrored"),
    CorrectionKind.SIDES_SWAPPED: CodedConcept("exchanged", CODING_SCHEME, "Sides of the study swapped"),
    CorrectionKind.VIEW_UNKNOWN: CodedConcept("view-unknown", CODING_SCHEME, "Declared view not known to the networks"),
    CorrectionKind.HEADER_CONTRADICTS_ITSELF: CodedConcept("header-conflict", CODING_SCHEME, "Header contradicts itself"),
}
STUDY_LABELS = CodedConcept("study-labels", CODING_SCHEME, "Labels of the whole study")
VERDICT_VALUES = {
    Verdict.AS_DECLARED: CodedConcept("as-declared", CODING_SCHEME, "As declared"),
    Verdict.ONE_WRONG_LABEL: CodedConcept("one-wrong", CODING_SCHEME, "One image has a wrong label"),
    Verdict.SIDES_SWAPPED: CodedConcept("exchanged", CODING_SCHEME, "Sides of the study swapped"),
    Verdict.MIRRORED: CodedConcept("mirrored", CODING_SCHEME, "Whole image mirrored"),
    Verdict.INCONCLUSIVE: CodedConcept("unsettled", CODING_SCHEME, "Inconclusive: the cause of the differences is not known"),
}
