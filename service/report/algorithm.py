"""The models of a study as PS3.16 TID 4019 (Algorithm Identification) describes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.findings import ModelIdentity
from service.report.identity import MANUFACTURER, software_version


@dataclass(frozen=True)
class Algorithm:
    """Name, version and parameters of the algorithm that produced a result."""

    name: str
    version: str
    parameters: tuple[str, ...] = ()


def find_model(models: Sequence[ModelIdentity], task: str) -> ModelIdentity | None:
    """The model that answers `task`: ``labeler`` or ``cancer``."""
    return next((model for model in models if task in (model.task, model.name.rpartition("-")[2])), None)


def find_algorithm(models: Sequence[ModelIdentity], task: str) -> Algorithm:
    """The algorithm for `task`; this software itself if no model ran, as on an image that could not be decoded."""
    model = find_model(models, task)
    return name_algorithm(model) if model else Algorithm(MANUFACTURER, software_version())


def name_algorithm(model: ModelIdentity) -> Algorithm:
    """A model as an algorithm, its sha256 and calibration as parameters."""
    return Algorithm(model.name, model.version, (f"sha256={model.sha256}", f"calibration={model.calibration}"))


def describe_model(model: ModelIdentity) -> str:
    """One line that identifies a model."""
    return f"{model.name} {model.version}, sha256 {model.sha256}, calibration {model.calibration}"


def is_calibrated(models: Sequence[ModelIdentity]) -> bool:
    """Tell whether a cancer score is a probability."""
    model = find_model(models, "cancer")
    return model is not None and model.calibration != "none"
