"""What else a header says of the exposure: every attribute that can put an image outside the scope of the networks.

One attribute is never enough: devices state a magnification by distances, a spot view by the paddle, contrast by the agent, and raw data
by a name. Words are read in the languages of the larger markets.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from pydicom.dataset import Dataset

from models.attributes import read_items, read_number, read_term, read_terms, read_text

MAGNIFIED = 1.4
"""Magnification factor: contact mammography has about 1.1 at most, magnification views 1.5 and more."""
_LARGEST_FACTOR = 5.0
"""A larger ratio of two distances is a mistake of units."""

_NAME_KEYWORDS = (
    "SeriesDescription",
    "ProtocolName",
    "AcquisitionDeviceProcessingDescription",
    "AcquisitionDeviceProcessingCode",
    "DerivationDescription",
    "ViewPosition",
    "PaddleDescription",
    "BodyPartExamined",
)
_CODE_KEYWORDS = ("ViewCodeSequence", "ViewModifierCodeSequence", "SeriesDescriptionCodeSequence", "DerivationCodeSequence")
_LONGEST_COMMENT = 40
"""Characters of Image Comments: longer ones are remarks on the patient, not names of the exposure."""

_PATTERNS = {
    "magnification": r"\bMAG\b|\bMAGN?IF\w*|\bMAGVIEWS?\b|\bVERGROE?SS\w*|\bAGRANDI\w*|\bAMPLIA(CION|CAO|DA|DO)\b|\bINGRANDIMENT\w*",
    "spot": r"\bSPOT\w*|\bCONED?( DOWN)? COMPRESSION\b|\bZIEL(AUFNAHME|KOMPRESSION)\w*|\bLOCALI[SZ]ED COMPRESSION\b"
    r"|\bCOMPRES\w+ (FOCAL|LOCAL|SELE|MIRAT|CENTR)\w*|\bCLICHE LOCALISE\b",
    "implant-displaced": r"\bEKLUND\b|(?<!NON )(?<!NOT )\bDISPLACED IMPLANT|\bPUSH(ED)? ?BACK\b|\b[RL]? ?(CC|MLO|ML|LM|LMO|XCCL|XCCM) ?ID\b"
    r"|\b(IMPLANT|PROTESI|PROTHES)\w* (DISPL|VERDRANG|VERLAGER|DESPLAZ|DESLOC|REFOUL|DEPLAC|DISLOC|SPOSTAT)\w*",
    "specimen": r"\bSPECIMEN\w*|\bPRAE?PARAT\w*|\bPIECE OPERATOIRE\b|\bPIEZA (OPERATORIA|QUIRURGICA)\b|\bPEZZO OPERATORIO\b"
    r"|\bPECA (OPERATORIA|CIRURGICA)\b",
    "quality-control": r"\b(PH|F)ANTOM\w*|\bFLAT ?FIELD\w*|\bQC\b|\bQUALITY CONTROL\b|\bCALIBRATION\b",
    "stereo": r"\bSTEREO\w*|\b(PRE|POST) ?FIRE\w*",
    "tomosynthesis": r"\bTOMO\w*|\bDBT\b",
    "for-processing": r"\bRAW\b|\bFOR PROC(ESSING)?\b|\bUNPROCESSED\b|\bROH(DATEN|BILD\w*)|\b(DONNEES|IMAGE) BRUTES?\b|\bDATOS CRUDOS\b"
    r"|\bSIN PROCESAR\b|\bDATI GREZZI\b|\bNON TRAITEE?S?\b",
}
_SIGNS = {code: re.compile(pattern) for code, pattern in _PATTERNS.items()}
_TWO_DIMENSIONAL = re.compile(r"\b2 ?D\b|\bCOMBO\w*|\bSYNTH\w*|\bC VIEW\b|\bS VIEW\b|\bV ?PREVIEW\b")
"""Names of 2D images that were computed from, or exposed with, a tomosynthesis."""

_CONTRAST = re.compile(
    r"\bC(EM|ESM|EDM)\b|\bCE ?2D\b|\bCONTRAST ENHANCED\b|\bKONTRASTMITTEL\w*|\bSENOBRIGHT\b|\bTICEM\b|\bI VIEW\b|\bDUAL ENERGY\b"
    r"|\bIODINE\b|\b(AVEC|CON|COM|MIT) (MEZZO DI )?[CK]ONTRAST\w*"
)
_RECOMBINED = re.compile(r"\bSUBS?TRACT\w*|\bSUBTRAK\w*|\b(SOTTRAZ|SUSTRACC|SUBTRAC)\w*|\bRE[CK]OMB\w*")
_HIGH_ENERGY = re.compile(r"\bHIGH ?ENERGY\b|\bHOCHENERGIE\w*|\bHAUTE ENERGIE\b|\bALTA ENERGIA\b")
_LOW_ENERGY = re.compile(r"\bLOW ?ENERGY\b|\bNIE?DE?RIGE? ?ENERGIE\b|\bNIEDERENERGIE\w*|\bBASSE ENERGIE\b|\b(BAJA|BASSA|BAIXA) ENERGIA\b")
_SHORT_LOW, _SHORT_HIGH = re.compile(r"\bLE\b"), re.compile(r"\b(HE|DES|RC)\b")
"""Abbreviations that mean an energy beside a word for contrast only."""
_NO_AGENT = frozenset({"", "NO", "NONE", "N", "N/A", "NA", "0", "WITHOUT", "OHNE", "SANS", "SIN"})
_SUBTRACTION_CODE = "113062"
"""Pixel by pixel subtraction (PS3.16 CID 7203)."""


def read_magnification(dataset: Dataset) -> float:
    """The largest magnification factor that the header states or implies; 1.0 where it says nothing.

    The factor is the distance from the source to the detector over that to the patient (PS3.3 C.8.7.10.1.3, C.8.11.7).
    """
    factors = [read_number(dataset, "EstimatedRadiographicMagnificationFactor")]
    factors.append(_ratio(dataset, "DistanceSourceToDetector", "DistanceSourceToPatient"))
    if read_term(dataset, "PixelSpacingCalibrationType") == "GEOMETRY":
        factors.append(_ratio(dataset, "ImagerPixelSpacing", "PixelSpacing"))
    return max((each for each in factors if each is not None and each > 0), default=1.0)


def read_scope(dataset: Dataset) -> tuple[str, ...]:
    """Codes of `service.domain.eligibility` for which some attribute speaks, sorted; nothing is raised."""
    texts = tuple(_read_texts(dataset))
    found = {code for code, pattern in _SIGNS.items() for text in texts if pattern.search(text) and not _is_two_dimensional(code, text)}
    if _normalise(read_text(dataset, "ViewPosition")) == "SPECIMEN":
        # A declared view that is not one of the known views: its labels are reported as unknown, because the pixels may show a breast.
        found.discard("specimen")
    if read_magnification(dataset) >= MAGNIFIED:
        found.add("magnification")
    if any(read_items(dataset, keyword) for keyword in ("SpecimenDescriptionSequence", "SpecimenSequence")):
        found.add("specimen")
    if read_items(dataset, "XRay3DReconstructionSequence") or read_term(dataset, "TomoClass") == "TOMOSYNTHESIS":
        found |= {"tomosynthesis"} if not any(_TWO_DIMENSIONAL.search(text) for text in texts) else set()
    intent = _normalise(read_text(dataset, "PresentationIntentType"))
    if "PROCESSING" in intent or intent == "RAW":
        found.add("for-processing")
    if _is_contrast_enhanced(dataset, texts):
        found.add("contrast-enhanced")
    return tuple(sorted(found))


def _is_contrast_enhanced(dataset: Dataset, texts: tuple[str, ...]) -> bool:
    """A recombined or high-energy image, or one after contrast that nothing calls the low-energy one.

    The low-energy image of contrast-enhanced mammography looks like a mammogram without contrast (Francescone et al. 2014, "Low energy
    mammogram obtained in contrast-enhanced digital mammography"); the recombined one shows the agent alone.
    """
    text = " | ".join(texts)
    agent = _normalise(read_text(dataset, "ContrastBolusAgent")) not in _NO_AGENT or bool(read_items(dataset, "ContrastBolusAgentSequence"))
    contrast = agent or bool(_CONTRAST.search(text))
    subtracted = any(read_term(item, "CodeValue") == _SUBTRACTION_CODE for item in read_items(dataset, "DerivationCodeSequence"))
    if subtracted or _RECOMBINED.search(text) or _HIGH_ENERGY.search(text) or (contrast and _SHORT_HIGH.search(text)):
        return True
    return contrast and not _LOW_ENERGY.search(text) and not _SHORT_LOW.search(text)


def _is_two_dimensional(code: str, text: str) -> bool:
    return code == "tomosynthesis" and bool(_TWO_DIMENSIONAL.search(text))


def _read_texts(dataset: Dataset) -> Iterator[str]:
    """Image Type without its first two values, names, and the meanings of codes."""
    yield _normalise(" ".join(read_terms(dataset, "ImageType")[2:]))
    for keyword in _NAME_KEYWORDS:
        yield _normalise(read_text(dataset, keyword))
    comment = read_text(dataset, "ImageComments")
    if len(comment) <= _LONGEST_COMMENT:
        yield _normalise(comment)
    for keyword in _CODE_KEYWORDS:
        for item in read_items(dataset, keyword):
            yield _normalise(read_text(item, "CodeMeaning"))
            for modifier in read_items(item, "ViewModifierCodeSequence"):
                yield _normalise(read_text(modifier, "CodeMeaning"))
    for region in read_items(dataset, "AnatomicRegionSequence"):
        yield _normalise(read_text(region, "CodeMeaning"))


def _normalise(text: str) -> str:
    """Upper case without accents, with a blank for each separator."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text.upper()) if not unicodedata.combining(each))
    return re.sub(r"[\W_]+", " ", plain).strip()


def _ratio(dataset: Dataset, over: str, under: str) -> float | None:
    numerator, denominator = read_number(dataset, over), read_number(dataset, under)
    if numerator is None or denominator is None or numerator <= 0 or denominator <= 0:
        return None
    return numerator / denominator if numerator / denominator <= _LARGEST_FACTOR else None
