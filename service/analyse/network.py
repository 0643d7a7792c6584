"""A loaded model. Its manifest is executed: size, recipe, outputs and thresholds come from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.preprocessing.picture import Picture
from models.preprocessing.recipe import Prepared
from models.registry import Model
from service.analyse.provider import open_session
from service.domain.findings import Label, ModelIdentity


@dataclass(frozen=True)
class ModelOutput:
    """The output of a network for one image.

    Parameters
    ----------
    scores
        By head: float array (classes,).
    maps
        Class-activation maps over the crop: (classes of all heads in the order of the manifest, h, w).
    prepared
        The input, with its placement in the source pixels.
    """

    scores: dict[str, NDArray[np.float32]]
    maps: NDArray[np.float32]
    prepared: Prepared


class Network:
    """One ONNX graph with its manifest, loaded once per process."""

    def __init__(self, model: Model, provider: str, threads: int, allow_cpu_fallback: bool) -> None:
        self.manifest = model.manifest
        self.session: onnxruntime.InferenceSession = open_session(str(model.path), provider, threads, allow_cpu_fallback)
        model.verify_graph(
            {value.name: list(value.shape) for value in self.session.get_inputs()},
            {value.name: list(value.shape) for value in self.session.get_outputs()},
        )
        self.identity = ModelIdentity(
            name=self.manifest.name,
            version=self.manifest.version,
            sha256=self.manifest.sha256,
            task=self.manifest.task,
            calibration=self.manifest.calibration.kind,
        )

    @property
    def provider(self) -> str:
        """The provider that runs the graph, as ONNX Runtime reports it."""
        return str(self.session.get_providers()[0])

    def run(self, picture: Picture) -> ModelOutput:
        """Prepare an image with the recipe of the manifest and run the network on it."""
        prepared = self.manifest.preprocessing(picture.pixels, self.manifest.shape)
        names = [head.output for head in self.manifest.outputs.values()]
        *scores, maps = self.session.run([*names, self.manifest.map_output], {self.manifest.input_name: prepared.pixels[None, None]})
        return ModelOutput(
            dict(zip(self.manifest.outputs, (np.asarray(score)[0] for score in scores), strict=True)), np.asarray(maps)[0], prepared
        )

    def label(self, head: str, scores: NDArray[np.float32]) -> Label:
        """The best class of a head, or UNKNOWN below the manifest's confidence threshold."""
        classes = self.manifest.outputs[head].classes
        best = int(np.argmax(scores))
        confidence = float(scores[best])
        sure = confidence >= self.manifest.thresholds.get(head, 0.0)
        return Label(
            value=classes[best] if sure else "UNKNOWN",
            confidence=round(confidence, 6),
            probabilities={name: round(float(score), 6) for name, score in zip(classes, scores, strict=True)},
        )
