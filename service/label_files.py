"""Label files on disk without a server: the worker's analysis, one answer for each file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, Field

from models.vocabulary import ImageKind
from service.domain.agreement import compare_laterality, compare_view
from service.domain.evidence import declares_mirrored_layout
from service.domain.findings import Agreement, ImageFinding, InstanceHeader, InstanceState, Label, ModelIdentity, Reason
from service.domain.study_image import StudyImage
from service.file_names import is_file, is_folder, list_files, write_name

IMAGE_SUFFIXES = frozenset({".dcm", ".dicom", ".ima", ".png", ".jpg", ".jpeg"})
"""What a folder is searched for. A file of any other name counts when it begins as DICOM part 10 does (PS3.10 section 7.1)."""

DIRECTORY_FILE = "DICOMDIR"


class Scored(BaseModel):
    """The cancer network's answer."""

    score: float = Field(description="0 to 1")


class Reading(BaseModel):
    """A label with the probability of every class."""

    value: str
    confidence: float
    probabilities: dict[str, float]


class Source(BaseModel):
    """What one attribute of the header says."""

    label: Literal["view", "laterality"]
    attribute: str = Field(description="DICOM keyword")
    value: str = Field(description="a view or a side; NOT_UNDERSTOOD where the attribute says something else")
    word: str = Field("", description="the code or the word itself; '' where it may not be shown")


class Declared(BaseModel):
    """The labels of the DICOM header; UNKNOWN where it has none, as in a PNG or JPEG."""

    view: str = "UNKNOWN"
    laterality: str = "UNKNOWN"
    sources: list[Source] = Field([], description="every attribute that says something of view or side")
    contradictions: list[str] = Field([], description="where the attributes contradict each other")


AgreementWord = Literal["agree", "missing", "contradicts", "unsure"]
_AGREEMENT_WORDS: dict[Agreement, AgreementWord] = {
    Agreement.AGREE: "agree",
    Agreement.MISSING: "missing",
    Agreement.CONTRADICT: "contradicts",
    Agreement.UNSURE: "unsure",
}


class Agreements(BaseModel):
    """How the header and the pixels compare.

    missing: no attribute speaks of the label, or none of those that the standard requires for it. contradicts: an attribute says something
    else than the pixels or than another attribute. unsure: the header or the pixels are not understood.
    """

    view: AgreementWord = "unsure"
    laterality: AgreementWord = "unsure"


class Disagreement(BaseModel):
    """One label that the pixels contradict."""

    label: Literal["view", "laterality"]
    declared: str
    pixels: str


class FileAnswer(BaseModel):
    """One line of ``mammotriage label --json``."""

    path: str
    status: Literal["analysed", "skipped", "failed"]
    reason: Reason | None = None
    kind: ImageKind = ImageKind.UNKNOWN
    view: Reading | None = None
    laterality: Reading | None = None
    density: Reading | None = None
    cancer: Scored | None = None
    declared: Declared = Declared()
    agreement: Agreements = Agreements()
    disagreements: list[Disagreement] = []
    models: list[ModelIdentity] = []


class Answered(Protocol):
    """An analysis that has labels."""

    @property
    def finding(self) -> ImageFinding: ...


class FileAnalyser(Protocol):
    """Reads one DICOM, PNG or JPEG file; a fault of the file becomes the finding's reason."""

    def analyse_file(self, path: Path, film: bool) -> tuple[Answered, InstanceHeader | None]: ...


def find_images(paths: Iterable[Path]) -> Iterator[Path]:
    """Every file named, and every image in the folders named and below, in order of name.

    A file that is named is taken whatever it is (and answered with a reason); in folders only what looks like an image. A folder without
    an image, or that cannot be listed, is answered itself.
    """
    for path in paths:
        found = [each for each in list_files(path) if is_folder(each) or _looks_like_image(each)] if is_folder(path) else []
        yield from found or [path]


def _looks_like_image(path: Path) -> bool:
    if path.name.startswith(".") or path.name == DIRECTORY_FILE:
        return False
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def label_file(path: Path, analyser: FileAnalyser, film: bool) -> FileAnswer:
    """Answer for one file; never raises for what the file holds.

    Parameters
    ----------
    film
        Analyse digitised film too.
    """
    if is_folder(path):
        return _failed(path, *_describe_folder(path))
    if not is_file(path):
        return _failed(path, "not-found", "there is no such file")
    try:
        analysis, header = analyser.analyse_file(path, film)
    except Exception as error:  # a hostile file must not end the run for the others
        return _failed(path, "internal-error", f"analysis broke ({type(error).__name__})")
    return describe(path, analysis.finding, header)


def _describe_folder(path: Path) -> tuple[str, str]:
    try:
        os.scandir(path).close()
    except OSError:
        return "not-readable", "the folder cannot be listed"
    return "no-images", "there is no image in this folder"


def _failed(path: Path, code: str, text: str) -> FileAnswer:
    return FileAnswer(path=write_name(path), status="failed", reason=Reason(code=code, text=text))


def describe(path: Path, finding: ImageFinding, header: InstanceHeader | None) -> FileAnswer:
    """Put a finding and the header it belongs to into one line."""
    status: Literal["analysed", "skipped", "failed"] = "failed"
    if finding.state is InstanceState.ANALYSED:
        status = "analysed"
    elif finding.state is InstanceState.SKIPPED:
        status = "skipped"
    return FileAnswer(
        path=write_name(path),
        status=status,
        reason=finding.reason,
        kind=finding.kind,
        view=_reading(finding.view),
        laterality=_reading(finding.laterality),
        density=_reading(finding.density),
        cancer=None if finding.cancer_score is None else Scored(score=finding.cancer_score),
        declared=_declared(StudyImage(header, finding)) if header else Declared(),
        agreement=_agreement(StudyImage(header, finding)) if header else _agreement_without_header(finding),
        disagreements=_contradictions(header, finding) if header else [],
        models=list(finding.models),
    )


def _reading(label: Label | None) -> Reading | None:
    return Reading(**label.model_dump()) if label else None


def _declared(image: StudyImage) -> Declared:
    header = image.header
    return Declared(
        view=header.view,
        laterality=header.laterality,
        sources=[Source(label=each.label, attribute=each.keyword, value=each.value, word=each.word) for each in header.declared_labels],
        contradictions=[each.text for each in image.contradictions],
    )


def _agreement(image: StudyImage) -> Agreements:
    contradicted = {each.label for each in image.contradictions}
    side = Agreement.AGREE if declares_mirrored_layout(image) else image.laterality_agreement
    return Agreements(
        view="contradicts" if "view" in contradicted else _AGREEMENT_WORDS[image.view_agreement],
        laterality="contradicts" if "laterality" in contradicted else _AGREEMENT_WORDS[side],
    )


def _agreement_without_header(finding: ImageFinding) -> Agreements:
    return Agreements(
        view="missing" if finding.view and finding.view.value != "UNKNOWN" else "unsure",
        laterality="missing" if finding.laterality and finding.laterality.value != "UNKNOWN" else "unsure",
    )


def _contradictions(header: InstanceHeader, finding: ImageFinding) -> list[Disagreement]:
    found = []
    if finding.view and compare_view(header, finding.view) is Agreement.CONTRADICT:
        found.append(Disagreement(label="view", declared=header.view, pixels=finding.view.value))
    if finding.laterality and compare_laterality(header, finding.laterality) is Agreement.CONTRADICT:
        found.append(Disagreement(label="laterality", declared=header.laterality, pixels=finding.laterality.value))
    return found
