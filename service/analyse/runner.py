"""The analysis of one image: eligibility, decoding, networks, heatmap. The worker and ``mammotriage label`` run the same code."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from models.errors import FileUnparsable, ModelsError, NotDicom
from models.foreign_parsers import read_dicom
from models.preprocessing.picture import Picture, is_picture, picture_from_dataset, picture_from_file
from models.preprocessing.plausibility import looks_like_mammogram
from models.registry import Registry
from models.vocabulary import ImageKind
from service.analyse.heatmap import encode_array, encode_png, find_outline, find_peak, overlay, preview_shape, shrink, suspicion
from service.analyse.markers import read_marker
from service.analyse.network import Network
from service.analyse.provider import available_providers, choose_provider
from service.domain.eligibility import ineligible_reason
from service.domain.findings import ImageFinding, InstanceHeader, InstanceState, Reason
from service.domain.header import read_header


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
        return self.analyse_picture(picture, header.sop_instance_uid, header.kind, started)

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

    def analyse_picture(self, picture: Picture, uid: str, kind: ImageKind, started: float) -> Analysis:
        """Analyse pixels with a dark background."""
        doubt = looks_like_mammogram(picture.pixels)
        if doubt:
            return _unanalysed(uid, InstanceState.SKIPPED, Reason(code=doubt[0], text=doubt[1]), kind)
        labels, cancer = self.labeler.run(picture), self.cancer.run(picture)
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
            peak=find_peak(heat, placement),
            outline=find_outline(heat, placement),
            chest_wall_right=_chest_wall_right(picture.pixels),
            marker=read_marker(picture.pixels),
            inverted=picture.inverted,
            models=(self.labeler.identity, self.cancer.identity),
            provider=self.cancer.provider,
            seconds=round(time.perf_counter() - started, 3),
        )
        rows, columns = preview_shape(placement.source_shape)
        spread = np.clip(placement.map_to_source(heat, (rows, columns)), 0, 1)
        small = shrink(picture.pixels)
        return Analysis(finding, encode_png(overlay(small, spread)), encode_png(small), encode_array(spread, placement.source_shape))


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
