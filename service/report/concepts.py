"""The concepts a report is written in (PS3.16), and the private ones where DICOM has none."""

from __future__ import annotations

from highdicom.sr import CodedConcept

from models.vocabulary import Code
from service.domain.findings import Agreement, TriageFlag
from service.report.identity import CODING_SCHEME


def concept(code: Code) -> CodedConcept:
    """A vocabulary code as a concept."""
    return CodedConcept(code.value, code.scheme, code.meaning)


IMAGING_PROCEDURE = CodedConcept("363679005", "SCT", "Imaging procedure")
SOURCE = CodedConcept("260753009", "SCT", "Source")
FINDING = CodedConcept("121071", "DCM", "Finding")
COMMENT = CodedConcept("121106", "DCM", "Comment")
MODALITY = CodedConcept("121139", "DCM", "Modality")
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
