"""The analysis of one image: eligibility, decoding, networks, heatmap. The worker and ``mammotriage label`` run the same code."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from models.errors import FileUnparsable, ModelsError, NotDicom
from models.foreign_parsers import read_dicom
from models.preprocessing.geometry import breast_mask, chest_edge
from models.preprocessing.picture import Picture, is_picture, picture_from_dataset, picture_from_file
from models.preprocessing.plausibility import looks_like_mammogram
from models.preprocessing.turn import UNTURNED, Turn
from models.registry import Registry
from models.vocabulary import ImageKind
from service.analyse.heatmap import encode_array, encode_png, find_outline, find_peak, overlay, preview_shape, shrink, suspicion
from service.analyse.markers import read_marker
from service.analyse.network import ModelOutput, Network
from service.analyse.provider import available_providers, choose_provider
from service.domain.display_orientation import find_declared_turn
from service.domain.eligibility import ineligible_reason
from service.domain.findings import ImageFinding, InstanceHeader, InstanceState, Peak, Reason
from service.domain.header import read_header

MAMMOGRAM = "mammogram"
"""The labeler's head that says whether the picture is a mammogram, and its class for pictures that are one."""


@dataclass(frozen=True)
class Analysis:
    """A finding with its heatmap and preview (PNG, npz); all three empty where the image was not analysed."""

    finding: ImageFinding
    heatmap_png: bytes = b""
    preview_png: bytes = b""
    heatmap_npz: bytes = b""


class Analyser:
    """Both networks, ready to run.

    Parameters
    ----------
    model_dir
        Folder of models; the packaged models where None.
    provider
        ``auto``, ``cuda``, ``tensorrt``, ``openvino`` or ``cpu``.
    threads
        Threads of one inference; 0 leaves the choice to ONNX Runtime.
    """

    def __init__(
        self,
        model_dir: Path | None = None,
        provider: str = "auto",
        allow_cpu_fallback: bool = False,
        threads: int = 0,
        max_pixels: int = 100_000_000,
    ) -> None:
        self.max_pixels = max_pixels
        registry = Registry(model_dir) if model_dir else Registry()
        chosen = choose_provider(provider, available_providers(), allow_cpu_fallback)
        self.labeler = Network(registry.find("labeler"), chosen, threads, allow_cpu_fallback)
        self.cancer = Network(registry.find("cancer"), chosen, threads, allow_cpu_fallback)

    @property
    def threshold(self) -> float | None:
        """Operating point on the study score."""
        return self.cancer.manifest.thresholds.get("cancer")

    def analyse_dataset(self, dataset: pydicom.Dataset, film: bool, header: InstanceHeader | None = None) -> Analysis:
        """Analyse one DICOM instance; whatever is wrong with it becomes the reason of the finding, never an exception.

        Parameters
        ----------
        film
            Also analyse digitised film (secondary captures).
        """
        started = time.perf_counter()
        header = header or read_header(dataset)
        reason = ineligible_reason(header, film)
        if reason:
            return _unanalysed(header.sop_instance_uid, InstanceState.SKIPPED, reason, header.kind)
        try:
            picture = picture_from_dataset(dataset, self.max_pixels)
        except ModelsError as error:
            reason = Reason(code=error.code, text=str(error))
            return _unanalysed(header.sop_instance_uid, InstanceState.FAILED, reason, header.kind)
        turn = _find_turn(header, picture.pixels)
        return self.analyse_picture(picture, header.sop_instance_uid, header.kind, started, turn, implant=header.implant)

    def analyse_file(self, path: Path, film: bool) -> tuple[Analysis, InstanceHeader | None]:
        """Analyse a DICOM, PNG or JPEG file; the header is None for PNG and JPEG."""
        try:
            if is_picture(path):
                started = time.perf_counter()
                return self.analyse_picture(picture_from_file(path, self.max_pixels), "", ImageKind.UNKNOWN, started), None
            dataset, header = _read_dicom(path)
        except NotDicom as error:
            reason = Reason(code=error.code, text="neither a DICOM part 10 file nor a PNG or JPEG image")
            return _unanalysed("", InstanceState.FAILED, reason), None
        except ModelsError as error:
            return _unanalysed("", InstanceState.FAILED, Reason(code=error.code, text=str(error))), None
        except OSError as error:
            reason = Reason(code="unreadable", text=error.strerror or "the file cannot be read")
            return _unanalysed("", InstanceState.FAILED, reason), None
        return self.analyse_dataset(dataset, film, header), header

    def analyse_picture(
        self, picture: Picture, uid: str, kind: ImageKind, started: float, turn: Turn = UNTURNED, implant: bool = False
    ) -> Analysis:
        """Analyse pixels with a dark background.

        Parameters
        ----------
        turn
            Brings the image into the usual layout before the networks see it. Everything in the answer is in the layout of the source.
        implant
            The header declares a breast implant. The labeler has seen few of them and took 2 of 45 for another picture
            (docs/results/labeler-1.1.0.md), so it may not refuse such an image.
        """
        source, picture = picture.pixels, replace(picture, pixels=turn.apply(picture.pixels))
        doubt = looks_like_mammogram(picture.pixels)
        if doubt:
            return _unanalysed(uid, InstanceState.SKIPPED, Reason(code=doubt[0], text=doubt[1]), kind)
        labels = self.labeler.run(picture)
        if not implant and self._shows_something_else(labels):
            reason = Reason(code="no-mammogram", text="the labeler takes the picture for something other than a mammogram")
            return _unanalysed(uid, InstanceState.SKIPPED, reason, kind)
        cancer = self.cancer.run(picture)
        raw = float(cancer.scores["cancer"][0])
        heat = suspicion(cancer.maps[0])
        placement = cancer.prepared.placement
        finding = ImageFinding(
            sop_instance_uid=uid,
            state=InstanceState.ANALYSED,
            kind=kind,
            view=self.labeler.label("view", labels.scores["view"]),
            laterality=self.labeler.label("laterality", labels.scores["laterality"]),
            density=self.labeler.label("density", labels.scores["density"]),
            cancer_score=round(self.cancer.manifest.calibration.apply(raw), 6),
            peak=_turn_back(find_peak(heat, placement), turn, placement.source_shape),
            outline=tuple(turn.undo_point(row, column, placement.source_shape) for row, column in find_outline(heat, placement)),
            chest_wall_right=_chest_wall_right(source),
            turned=turn != UNTURNED,
            marker=read_marker(picture.pixels),
            inverted=picture.inverted,
            models=(self.labeler.identity, self.cancer.identity),
            provider=self.cancer.provider,
            seconds=round(time.perf_counter() - started, 3),
        )
        rows, columns = preview_shape(placement.source_shape)
        spread = np.clip(placement.map_to_source(heat, (rows, columns)), 0, 1)
        spread, small = turn.undo(spread), shrink(source)
        shape = (source.shape[0], source.shape[1])
        return Analysis(finding, encode_png(overlay(small, spread)), encode_png(small), encode_array(spread, shape))

    def _shows_something_else(self, labels: ModelOutput) -> bool:
        """Whether the labeler refuses the picture; a labeler without the head ``mammogram`` refuses none."""
        if MAMMOGRAM not in self.labeler.manifest.outputs:
            return False
        classes = self.labeler.manifest.outputs[MAMMOGRAM].classes
        score = float(labels.scores[MAMMOGRAM][classes.index(MAMMOGRAM)])
        return score < self.labeler.manifest.thresholds.get(MAMMOGRAM, 0.5)


def _find_turn(header: InstanceHeader, pixels: NDArray[np.uint8]) -> Turn:
    """The turn that Patient Orientation declares, where the pixels have the chest wall at the edge that it says."""
    declared = find_declared_turn(header)
    if declared is None or chest_edge(breast_mask(pixels)) != declared.chest_edge.name.lower():
        return UNTURNED
    return Turn(declared.orientation.image_rotation, declared.orientation.image_horizontal_flip)


def _turn_back(peak: Peak, turn: Turn, shape: tuple[int, int]) -> Peak:
    row, column = turn.undo_point(peak.row, peak.column, shape)
    return Peak(row=round(row, 1), column=round(column, 1), strength=peak.strength)


def _chest_wall_right(pixels: NDArray[np.uint8]) -> bool:
    """The breast is widest at the chest wall: the half with more tissue is at the chest wall."""
    small = shrink(pixels).astype(np.float32)
    half = small.shape[1] // 2
    return bool(small[:, half:].sum() > small[:, :half].sum())


def _read_dicom(path: Path) -> tuple[pydicom.Dataset, InstanceHeader]:
    """A file's data set and header. Raises NotDicom, FileUnparsable, OSError."""
    dataset = read_dicom(path)
    # For a file that ends within its encapsulated pixel data pydicom returns an empty data set.
    if "SOPClassUID" not in dataset:
        raise FileUnparsable("the file is truncated, or is no image")
    return dataset, read_header(dataset)


def _unanalysed(uid: str, state: InstanceState, reason: Reason, kind: ImageKind = ImageKind.UNKNOWN) -> Analysis:
    return Analysis(ImageFinding(sop_instance_uid=uid, state=state, reason=reason, kind=kind))
