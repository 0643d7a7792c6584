"""The vocabulary of mammography as enums, with one table of DICOM codes for reading and writing (PS3.16 CID 4014, CID 4015, CID 6000)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class View(StrEnum):
    """ACR view names (CID 4014); UNKNOWN is a value, never an exception."""

    CC = "CC"
    MLO = "MLO"
    ML = "ML"
    LM = "LM"
    LMO = "LMO"
    FB = "FB"
    SIO = "SIO"
    ISO = "ISO"
    XCCL = "XCCL"
    XCCM = "XCCM"
    SPECIMEN = "SPECIMEN"
    UNKNOWN = "UNKNOWN"


class ViewModifier(StrEnum):
    """CID 4015."""

    CV = "CV"
    AT = "AT"
    RL = "RL"
    RM = "RM"
    RI = "RI"
    RS = "RS"
    ID = "ID"
    M = "M"
    S = "S"
    TAN = "TAN"
    NP = "NP"
    AC = "AC"
    IMF = "IMF"
    AX = "AX"
    UNKNOWN = "UNKNOWN"


class Laterality(StrEnum):
    """Side of the patient."""

    R = "R"
    L = "L"
    B = "B"
    UNKNOWN = "UNKNOWN"


class Density(StrEnum):
    """BI-RADS breast composition (CID 6000)."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    UNKNOWN = "UNKNOWN"


class ImageKind(StrEnum):
    """How the image was acquired."""

    FULL_FIELD = "full-field"
    FILM = "film"
    SYNTHESISED = "synthesised-2d"
    TOMOSYNTHESIS = "tomosynthesis"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Code:
    """One coded concept: SNOMED CT value for writing, legacy SRT values for reading, meaning."""

    value: str
    meaning: str
    legacy: tuple[str, ...] = ()
    scheme: str = "SCT"


VIEW_CODES: dict[View, Code] = {
    View.CC: Code("399162004", "cranio-caudal", ("R-10242",)),
    View.MLO: Code("399368009", "medio-lateral oblique", ("R-10226",)),
    View.ML: Code("399260004", "medio-lateral", ("R-10224",)),
    View.LM: Code("399352003", "latero-medial", ("R-10228",)),
    View.LMO: Code("399099002", "latero-medial oblique", ("R-10230",)),
    View.FB: Code("399196006", "caudo-cranial (from below)", ("R-10244",)),
    View.SIO: Code("399188001", "superolateral to inferomedial oblique", ("R-102D0",)),
    View.ISO: Code("441555000", "inferomedial to superolateral oblique", ("R-40AAA",)),
    View.XCCL: Code("399192008", "cranio-caudal exaggerated laterally", ("R-1024A", "Y-X1770")),
    View.XCCM: Code("399101009", "cranio-caudal exaggerated medially", ("R-1024B", "Y-X1771")),
    View.SPECIMEN: Code("127457009", "tissue specimen from breast", ("G-8310",)),
}

MODIFIER_CODES: dict[ViewModifier, Code] = {
    ViewModifier.CV: Code("399161006", "Cleavage", ("R-102D2",)),
    ViewModifier.AT: Code("399011000", "Axillary Tail", ("R-102D1",)),
    ViewModifier.RL: Code("399197002", "Rolled Lateral", ("R-102D3",)),
    ViewModifier.RM: Code("399226006", "Rolled Medial", ("R-102D4",)),
    ViewModifier.RI: Code("414493004", "Rolled Inferior", ("R-102CA",)),
    ViewModifier.RS: Code("415670009", "Rolled Superior", ("R-102C9",)),
    ViewModifier.ID: Code("399209000", "Implant Displaced", ("R-102D5",)),
    ViewModifier.M: Code("399163009", "Magnification", ("R-102D6",)),
    ViewModifier.S: Code("399055006", "Spot Compression", ("R-102D7",)),
    ViewModifier.TAN: Code("399110001", "Tangential", ("R-102C2",)),
    ViewModifier.NP: Code("442581004", "Nipple in profile", ("R-40AB3",)),
    ViewModifier.AC: Code("441752004", "Anterior compression", ("P2-00161",)),
    ViewModifier.IMF: Code("442593008", "Infra-mammary fold", ("R-40ABE",)),
    ViewModifier.AX: Code("442580003", "Axillary tissue", ("R-40AB2",)),
}

DENSITY_CODES: dict[Density, Code] = {
    Density.A: Code("129716005", "Almost entirely fat"),
    Density.B: Code("129717001", "Scattered fibroglandular densities"),
    Density.C: Code("129718006", "Heterogeneously dense"),
    Density.D: Code("129719003", "Extremely dense"),
}

LATERALITY_CODES: dict[Laterality, Code] = {
    Laterality.R: Code("24028007", "Right", ("G-A100",)),
    Laterality.L: Code("7771000", "Left", ("G-A101",)),
    Laterality.B: Code("51440002", "Right and left", ("G-A102",)),
}
"""CID 244: laterality as a modifier of an anatomic region."""

BREAST_CODES: dict[Laterality, Code] = {
    Laterality.R: Code("73056007", "Right breast", ("T-04020",)),
    Laterality.L: Code("80248007", "Left breast", ("T-04030",)),
    Laterality.B: Code("63762007", "Both breasts", ("T-04080",)),
}
"""CID 6022: the breast as Image Laterality (111027, DCM) of a report."""

READABLE_SCHEMES = frozenset({"SCT", "SRT", "SNM3", "99SDM"})
"""Coding schemes that are read as equal; only SCT is written (dciodvfy reports SNM3 as deprecated)."""
