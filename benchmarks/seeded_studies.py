"""Held-back images of RSNA-2022 made into DICOM studies, and the label errors that are put into them on purpose."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid
from rich.progress import track

import service.analyse.markers
from models.preprocessing.picture import picture_from_dataset, picture_from_file
from models.preprocessing.plausibility import looks_like_mammogram
from models.registry import Registry
from models.vocabulary import BREAST_CODES, VIEW_CODES, ImageKind, Laterality, View
from service.analyse.markers import read_marker
from service.analyse.network import Network
from service.domain.findings import ImageFinding, InstanceState, Reason
from service.domain.header import read_header
from service.domain.study_image import StudyImage
from training.data.index import read_index
from training.data.splits import read_split
from training.data.table import Row

SPLIT = Path("training/experiments/splits/patients.csv")
OTHER_SIDE = {Laterality.R: Laterality.L, Laterality.L: Laterality.R}
OTHER_VIEW = {View.CC: View.MLO, View.MLO: View.CC}


class Labels(NamedTuple):
    side: Laterality
    view: View


class Shot(NamedTuple):
    """One image: its labels by the data set, and what the service reads in it and in its mirror image."""

    uid: str
    truth: Labels
    plain: ImageFinding
    mirrored: ImageFinding


class Exam(NamedTuple):
    uid: str
    machine: str
    shots: tuple[Shot, ...]

    @property
    def sides(self) -> int:
        return len({shot.truth.side for shot in self.shots})

    @property
    def four_views(self) -> bool:
        return len({shot.truth for shot in self.shots}) == 4


class Seeded(NamedTuple):
    """A study with an error in it, and the image that has it; None where it is in all of them, or in none."""

    exam: Exam
    study: tuple[StudyImage, ...]
    target: str | None


def as_dicom(uid: str, study_instance_uid: str, labels: Labels, pixels: NDArray[np.uint8] | None = None, flip: str = "") -> Dataset:
    """A mammogram for presentation as a modality writes it: every label by the side and view that were chosen at the console.

    Parameters
    ----------
    pixels
        (rows, columns); left out where only the header matters.
    flip
        Field of View Horizontal Flip, ``YES`` or ``NO``; absent where empty.
    """
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = DigitalMammographyXRayImageStorageForPresentation, uid
    image.StudyInstanceUID, image.SeriesInstanceUID = study_instance_uid, generate_uid(entropy_srcs=[uid, "series"])
    image.Modality, image.PresentationIntentType, image.ImageType = "MG", "FOR PRESENTATION", ["ORIGINAL", "PRIMARY"]
    image.ImageLaterality, image.ViewPosition = labels.side.value, labels.view.value
    code, item = VIEW_CODES[labels.view], Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme, code.meaning
    item.ViewModifierCodeSequence = []
    image.ViewCodeSequence = [item]
    medial = "L" if labels.side is Laterality.R else "R"
    image.PatientOrientation = ["P" if labels.side is Laterality.R else "A", medial if labels.view is View.CC else f"F{medial}"]
    if flip:
        image.FieldOfViewHorizontalFlip = flip
    if pixels is not None:
        image.Rows, image.Columns, image.SamplesPerPixel, image.PhotometricInterpretation = *pixels.shape, 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 8, 8, 7, 0
        image.PixelData = pixels.tobytes()
        image["PixelData"].VR = "OW"
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def read_exams(data: Path, cache: Path, part: str = "test", patients: int | None = None) -> list[Exam]:
    """The exams of one part of the patients, labelled by the service's own labeler and marker reader.

    Parameters
    ----------
    data
        Folder that holds ``rsna-bcd-640``.
    cache
        File that keeps what was read in the pixels, so that the next seeding is quick; another labeler or reader begins it anew.
    part
        ``test`` or ``validation``; the labeler was trained on the others.
    patients
        How many of them, by their number; all where None.
    """
    split = read_split(SPLIT)
    rows = [row for row in read_index(data, ["rsna-bcd-640"]) if split.get(row.patient) == part]
    rows = sorted(rows, key=lambda row: (int(row.patient.rpartition("-")[2]), row.image))
    chosen = sorted({row.patient for row in rows}, key=lambda patient: int(patient.rpartition("-")[2]))[:patients]
    rows = [row for row in rows if row.patient in set(chosen)]
    shots = dict(zip([row.file for row in rows], _read_shots(rows, cache), strict=True))
    return [
        Exam(generate_uid(entropy_srcs=[patient]), (images := list(group))[0].manufacturer or "", tuple(shots[row.file] for row in images))
        for patient, group in groupby(rows, key=lambda row: row.patient)
    ]


def _read_shots(rows: Sequence[Row], cache: Path) -> Iterator[Shot]:
    labeler = Network(Registry().find("labeler"), "cpu", 1, False)
    reader = hashlib.sha256(Path(service.analyse.markers.__file__).read_bytes()).hexdigest()
    stored: dict[str, Any] = json.loads(cache.read_text(encoding="utf-8")) if cache.is_file() else {}
    stamp = f"{labeler.identity.sha256} {reader}"
    known: dict[str, Any] = stored.get("findings", {}) if stored.get("stamp") == stamp else {}
    for row in track([row for row in rows if row.file.name not in known], "reading pixels"):
        pixels = picture_from_file(row.file).pixels
        known[row.file.name] = [
            _look(labeler, row, np.ascontiguousarray(each)).model_dump(mode="json") for each in (pixels, pixels[:, ::-1])
        ]
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps({"stamp": stamp, "findings": known}), encoding="utf-8")
    for row in rows:
        plain, mirrored = (ImageFinding.model_validate(each) for each in known[row.file.name])
        yield Shot(_uid_of(row), Labels(Laterality(row.breast), View(row.view or "")), plain, mirrored)


def _look(labeler: Network, row: Row, pixels: NDArray[np.uint8]) -> ImageFinding:
    """What the worker would read in this picture sent as DICOM, but for its cancer score."""
    file = io.BytesIO()
    as_dicom(_uid_of(row), "2.25.1", Labels(Laterality(row.breast), View(row.view or "")), pixels).save_as(file, enforce_file_format=True)
    picture = picture_from_dataset(pydicom.dcmread(io.BytesIO(file.getvalue())))
    doubt = looks_like_mammogram(picture.pixels)
    if doubt:
        reason = Reason(code=doubt.code, text=doubt.text)
        return ImageFinding(sop_instance_uid=_uid_of(row), state=InstanceState.SKIPPED, reason=reason)
    answer = labeler.run(picture)
    return ImageFinding(
        sop_instance_uid=_uid_of(row),
        state=InstanceState.ANALYSED,
        kind=ImageKind.FULL_FIELD,
        view=labeler.label("view", answer.scores["view"]),
        laterality=labeler.label("laterality", answer.scores["laterality"]),
        marker=read_marker(picture.pixels),
    )


def _uid_of(row: Row) -> str:
    return str(generate_uid(entropy_srcs=[row.patient, row.image]))


def _show(exam: Exam, shot: Shot, labels: Labels, mirrored: bool = False, flip: str = "") -> StudyImage:
    return StudyImage(read_header(as_dicom(shot.uid, exam.uid, labels, flip=flip)), shot.mirrored if mirrored else shot.plain)


def _turn(labels: Labels) -> Labels:
    return labels._replace(side=OTHER_SIDE[labels.side])


def seed_nothing(exam: Exam) -> Iterator[Seeded]:
    yield Seeded(exam, tuple(_show(exam, shot, shot.truth) for shot in exam.shots), None)


def seed_side(exam: Exam) -> Iterator[Seeded]:
    """Left and right exchanged on one image, each in turn."""
    for wrong in exam.shots:
        study = (_show(exam, shot, _turn(shot.truth) if shot is wrong else shot.truth) for shot in exam.shots)
        yield Seeded(exam, tuple(study), wrong.uid)


def seed_view(exam: Exam) -> Iterator[Seeded]:
    """CC and MLO exchanged on one image, each in turn."""
    for wrong in exam.shots:
        labels = {shot.uid: shot.truth._replace(view=OTHER_VIEW[shot.truth.view]) if shot is wrong else shot.truth for shot in exam.shots}
        yield Seeded(exam, tuple(_show(exam, shot, labels[shot.uid]) for shot in exam.shots), wrong.uid)


def seed_mirror(exam: Exam) -> Iterator[Seeded]:
    """The pixels of one image mirrored, each in turn; its header as it was."""
    for wrong in exam.shots:
        yield Seeded(exam, tuple(_show(exam, shot, shot.truth, shot is wrong) for shot in exam.shots), wrong.uid)


def seed_exchange(exam: Exam, flip: str = "") -> Iterator[Seeded]:
    """Both breasts bear the other's label; `flip` is what every header says of its detector."""
    if exam.sides == 2:
        yield Seeded(exam, tuple(_show(exam, shot, _turn(shot.truth), flip=flip) for shot in exam.shots), None)


def seed_mirrors(exam: Exam, flip: str = "") -> Iterator[Seeded]:
    """Every picture of both breasts mirrored."""
    if exam.sides == 2:
        yield Seeded(exam, tuple(_show(exam, shot, shot.truth, True, flip) for shot in exam.shots), None)


def seed_position(exam: Exam) -> Iterator[Seeded]:
    """View Position says the other view than View Code Sequence on one image, each in turn."""
    return _seed_header(exam, lambda image, truth: setattr(image, "ViewPosition", OTHER_VIEW[truth.view].value))


def seed_description(exam: Exam) -> Iterator[Seeded]:
    """Series Description says the other side than Image Laterality on one image, each in turn."""
    return _seed_header(exam, lambda image, truth: setattr(image, "SeriesDescription", f"{OTHER_SIDE[truth.side]} {truth.view}"))


def seed_unknown_code(exam: Exam) -> Iterator[Seeded]:
    """View Code Sequence has a retired code (exaggerated cranio-caudal) and View Position is absent on one image, each in turn."""

    def write(image: Dataset, _: Labels) -> None:
        image.ViewCodeSequence[0].CodeValue = "399265009"
        del image.ViewPosition

    return _seed_header(exam, write)


def seed_region(exam: Exam) -> Iterator[Seeded]:
    """Only Anatomic Region Sequence names the side, and names the other one, on one image, each in turn."""

    def write(image: Dataset, truth: Labels) -> None:
        del image.ImageLaterality, image.PatientOrientation
        code, item = BREAST_CODES[OTHER_SIDE[truth.side]], Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme, code.meaning
        image.AnatomicRegionSequence = [item]

    return _seed_header(exam, write)


def _seed_header(exam: Exam, write: Callable[[Dataset, Labels], None]) -> Iterator[Seeded]:
    for wrong in exam.shots:
        study = []
        for shot in exam.shots:
            image = as_dicom(shot.uid, exam.uid, shot.truth)
            if shot is wrong:
                write(image, shot.truth)
            study.append(StudyImage(read_header(image), shot.plain))
        yield Seeded(exam, tuple(study), wrong.uid)


def truths(exams: Iterable[Exam]) -> dict[str, Labels]:
    """Labels by the data set, by SOP Instance UID."""
    return {shot.uid: shot.truth for exam in exams for shot in exam.shots}
